/** One measurement: a value for each round, beside those of the reference where there is one. */
export interface Measurement {
  readonly what: string;
  readonly unit: string;
  /** What the project promises, in words. */
  readonly bar: string;
  readonly product: readonly number[];
  readonly reference: readonly number[];
}

/** An exact count. A case with a wrong one has failed. */
export interface CountCheck {
  readonly what: string;
  readonly expected: number;
  readonly found: number;
}

/** What one process and the requests to its clusters cost in one round. */
export interface Consumption {
  readonly side: Side;
  readonly phase: string;
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
  /** By verb, as `source get` or `targets create`. */
  readonly requests: Readonly<Record<string, number>>;
  /** Bodies in both directions, by server. */
  readonly bytes: Readonly<Record<string, number>>;
}

export type Side = 'product' | 'reference';

export interface LatencySeries {
  readonly label: string;
  readonly milliseconds: readonly number[];
}

export interface CaseResult {
  readonly name: string;
  readonly summary: string;
  readonly seconds: number;
  readonly measurements: readonly Measurement[];
  readonly checks: readonly CountCheck[];
  readonly consumption: readonly Consumption[];
  readonly latencies: readonly LatencySeries[];
  /** Why the case did not get to its end; absent when it did. */
  readonly unfinished?: string;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
}

export interface BenchReport {
  readonly version: string;
  readonly date: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly cases: readonly CaseResult[];
}

export interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly bar: string;
}

/** Collects what a case finds, so that a case that breaks off has a result, too. */
export class Recorder {
  readonly #measurements = new Map<string, Comparison & Record<Side, number[]>>();
  readonly checks: CountCheck[] = [];
  readonly consumption: Consumption[] = [];
  readonly #latencies = new Map<string, number[]>();

  measured(comparison: Comparison, side: Side, value: number): void {
    const entry = this.#measurements.get(comparison.what) ?? { ...comparison, product: [], reference: [] };
    this.#measurements.set(comparison.what, entry);
    entry[side].push(value);
  }

  count(what: string, expected: number, found: number): void {
    this.checks.push({ what, expected, found });
  }

  consumed(consumption: Consumption): void {
    this.consumption.push(consumption);
  }

  latencies(label: string, milliseconds: readonly number[]): void {
    this.#latencies.set(label, [...(this.#latencies.get(label) ?? []), ...milliseconds]);
  }

  result(name: string, summary: string, seconds: number, unfinished: string | undefined): CaseResult {
    return {
      name,
      summary,
      seconds,
      measurements: [...this.#measurements.values()],
      checks: this.checks,
      consumption: this.consumption,
      latencies: [...this.#latencies].map(([label, milliseconds]) => ({ label, milliseconds })),
      ...(unfinished === undefined ? {} : { unfinished }),
    };
  }
}

/** Checks whose count is wrong. */
export function wrongCounts({ checks }: CaseResult): readonly CountCheck[] {
  return checks.filter(({ expected, found }) => expected !== found);
}

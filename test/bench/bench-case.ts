import type { Recorder } from './result.ts';

/** One case of the bench. It starts what it needs and leaves nothing behind. */
export interface BenchCase {
  readonly name: string;
  /** What it does, for `--list` and the report. */
  readonly summary: string;
  /** After this time it ends, with what it has. */
  readonly minutes: number;
  /** Whether `--quick` includes it. */
  readonly quick: boolean;
  readonly run: (run: CaseRun) => Promise<void>;
}

export interface CaseRun {
  /** Small sizes: only the counts mean something. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Of load, for cases that last as long as one wants; undefined: as long as usual. */
  readonly seconds: number | undefined;
  /** When the case's time is over, by `performance.now()`. */
  readonly deadline: number;
  readonly record: Recorder;
  /** Tells a person how far it is. */
  readonly say: (line: string) => void;
}

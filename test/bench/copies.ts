import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlPlane } from '../sandbox/sandbox.ts';
import { ObjectWatch, type WatchEvent } from './object-watch.ts';
import type { Job } from './reference/task.ts';

/** Where a copy belongs: a target's index and the source's name. */
export interface Place {
  readonly target: number;
  readonly name: string;
}

/** A case's time is over. */
export class OutOfTimeError extends Error {
  override readonly name = 'OutOfTimeError';
}

const pauseMs = 20;
/** Room for this many sources; more are a mistake of the case. */
const maxSources = 20_000;

/**
 * Observes all copies from outside, by one watch for each control plane, so that product and reference are measured
 * alike. A copy's version is the number in its data; 0 stands for a copy that does not exist.
 */
export class Copies {
  readonly #targets: ReadonlyMap<string, number>;
  readonly #count: number;
  readonly #watches: readonly ObjectWatch[];
  /** By target and number of the source. */
  readonly #versions: Int32Array;
  readonly #wanted: Int32Array;
  #missing = 0;
  #times: number[] = [];
  #listener: (place: Place, version: number, time: number) => void = () => undefined;

  constructor(targets: readonly { readonly plane: ControlPlane; readonly namespace: string }[]) {
    this.#targets = new Map(
      targets.map(({ plane, namespace }, index) => [`${plane.name}/${namespace}`, index]),
    );
    this.#count = targets.length;
    this.#versions = new Int32Array(targets.length * maxSources);
    this.#wanted = new Int32Array(targets.length * maxSources);
    const planes = [...new Set(targets.map(({ plane }) => plane))];
    this.#watches = planes.map(
      (plane) => new ObjectWatch(plane, (event, time) => this.#see(plane, event, time)),
    );
  }

  async start(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.stop()));
  }

  /** From now on these are the versions that the copies of `jobs` should have, and no others should exist. Earlier arrivals are forgotten. */
  expect(jobs: readonly Job[], versionOf: (name: string) => number): void {
    this.#times = [];
    this.#wanted.fill(0);
    for (const { name, targets } of jobs) {
      for (const target of targets) {
        this.#wanted[slotOf(target, name)] = versionOf(name);
      }
    }
    this.#missing = this.#versions.reduce(
      (sum, seen, slot) => sum + (seen === this.#wanted[slot] ? 0 : 1),
      0,
    );
  }

  /** Calls `listener` for every change of a copy, instead of the listener before. */
  listen(listener: (place: Place, version: number, time: number) => void): void {
    this.#listener = listener;
  }

  /** When each copy got the version that is expected of it, by `performance.now()`. */
  get times(): readonly number[] {
    return this.#times;
  }

  /** Waits until every copy is as expected. */
  async reached(deadline: number, what: string): Promise<void> {
    while (this.#missing > 0) {
      const failure = this.#watches.find((watch) => watch.failure !== undefined)?.failure;
      if (failure !== undefined) {
        throw new Error(failure);
      }
      if (performance.now() > deadline) {
        throw new OutOfTimeError(`${what}: ${this.#missing} copies were not in sync when the time was over`);
      }
      await sleep(pauseMs);
    }
  }

  /** All copies that exist. */
  existing(): readonly Place[] {
    const places: Place[] = [];
    for (let target = 0; target < this.#count; target++) {
      for (let source = 0; source < maxSources; source++) {
        if ((this.#versions[target * maxSources + source] ?? 0) > 0) {
          places.push({ target, name: sourceName(source) });
        }
      }
    }
    return places;
  }

  #see(plane: ControlPlane, { type, object }: WatchEvent, time: number): void {
    const { name, namespace } = object.metadata;
    const target = this.#targets.get(`${plane.name}/${namespace}`);
    if (target === undefined) {
      return;
    }
    const slot = slotOf(target, name);
    const before = this.#versions[slot] ?? 0;
    const version = type === 'DELETED' ? 0 : Number(object.data?.['version']);
    const wanted = this.#wanted[slot];
    this.#versions[slot] = version;
    if (before !== wanted && version === wanted) {
      this.#missing--;
      this.#times.push(time);
    } else if (before === wanted && version !== wanted) {
      this.#missing++;
    }
    this.#listener({ target, name }, version, time);
  }
}

const prefix = 'source-';

/** Name of the source with that number, from 0. */
export function sourceName(index: number): string {
  return prefix + String(index).padStart(5, '0');
}

function slotOf(target: number, name: string): number {
  return target * maxSources + Number(name.slice(prefix.length));
}

import type { ApiObject } from './api-object.ts';
import type { ChaosContext } from './contexts.ts';
import { listAnnotation, originAnnotation } from './oracle/marks.ts';

/** A source as it was from a moment on. */
export interface SourceState {
  /** The earliest moment in which it can have been so, by our clock. */
  readonly since: number;
  /** What made it so: an operation of its owner, or the source cluster that went back. */
  readonly cause: 'operation' | 'restore' | 'rebuild';
  /** Undefined where it does not exist. */
  readonly object:
    | {
        readonly uid: string;
        readonly resourceVersion: string;
        /** Undefined without the annotation. */
        readonly list: string | undefined;
        readonly isCopy: boolean;
        readonly type: string | undefined;
        readonly immutable: boolean;
      }
    | undefined;
}

/** All that we did to sources and to the kubeconfig, with times: the truth by which deletions are judged. */
export class History {
  readonly #sources = new Map<string, SourceState[]>();
  readonly #contexts: { since: number; contexts: readonly ChaosContext[] }[] = [];
  readonly #restores: { from: number; until: number }[] = [];
  readonly #now: () => number;

  /** @param now milliseconds since the Unix epoch */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @param key of the source's place */
  record(
    key: string,
    since: number,
    object: ApiObject | undefined,
    cause: SourceState['cause'] = 'operation',
  ): void {
    const annotations = object?.metadata.annotations ?? {};
    const state: SourceState = {
      since,
      cause,
      object:
        object === undefined
          ? undefined
          : {
              uid: object.metadata.uid,
              resourceVersion: object.metadata.resourceVersion,
              list: annotations[listAnnotation],
              isCopy: Object.hasOwn(annotations, originAnnotation),
              type: object.type,
              immutable: object.immutable === true,
            },
    };
    const states = this.#sources.get(key);
    if (states === undefined) {
      this.#sources.set(key, [state]);
    } else {
      states.push(state);
    }
  }

  /** The states of a source from its first on, oldest first; none where it never was. */
  statesOf(key: string): readonly SourceState[] {
    return this.#sources.get(key) ?? [];
  }

  get keys(): readonly string[] {
    return [...this.#sources.keys()];
  }

  recordContexts(contexts: readonly ChaosContext[]): void {
    this.#contexts.push({ since: this.#now(), contexts });
  }

  /** All kubeconfigs that were in use at some moment from `from` on. */
  contextsSince(from: number): readonly (readonly ChaosContext[])[] {
    const later = this.#contexts.filter(({ since }) => since > from);
    const before = this.#contexts.findLast(({ since }) => since <= from);
    return [...(before === undefined ? [] : [before]), ...later].map(({ contexts }) => contexts);
  }

  /** The source cluster went back in time between these moments. */
  recordRestore(from: number, until: number): void {
    this.#restores.push({ from, until });
  }

  /** Whether versions of sources at this moment say anything: not for a minute after the source went back. */
  versionsCount(at: number): boolean {
    return !this.#restores.some(({ from, until }) => at >= from && at <= until + 60_000);
  }

  /** How often the source went back before this moment. */
  epochAt(at: number): number {
    return this.#restores.filter(({ from }) => from <= at).length;
  }
}

import { syncContexts } from '../../harness/stage.ts';
import type { ControlPlane } from '../../sandbox/control-plane/control-plane.ts';

/** One call. Times are those of `performance.now()`. */
export interface Call {
  readonly began: number;
  readonly ended: number;
  readonly status: number;
  /** Of an answer that is no object. */
  readonly message: string | undefined;
}

/** Creates annotated ConfigMaps as a dry run, some at a time, until it is ended: every one is a call of the webhook. */
export class Load {
  readonly #place: ControlPlane;
  readonly #over = new AbortController();
  readonly #calls: Call[] = [];
  readonly #loops: readonly Promise<void>[];

  constructor(place: ControlPlane, list: string, atATime: number) {
    this.#place = place;
    this.#loops = Array.from({ length: atATime }, () => this.#loop(list));
  }

  /** Calls that were answered so far. */
  get answered(): number {
    return this.#calls.length;
  }

  /** Yields all calls. */
  async end(): Promise<readonly Call[]> {
    this.#over.abort();
    await Promise.all(this.#loops);
    return this.#calls;
  }

  async #loop(list: string): Promise<void> {
    while (!this.#over.signal.aborted) {
      const began = performance.now();
      const { status, body } = await this.#place.request<{ readonly message?: string }>(
        'POST',
        '/api/v1/namespaces/demo/configmaps?dryRun=All',
        { metadata: { generateName: 'load-', annotations: { [syncContexts]: list } } },
        { allowFailure: true },
      );
      this.#calls.push({ began, ended: performance.now(), status, message: body.message });
    }
  }
}

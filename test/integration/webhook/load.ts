import { syncContexts } from '../../harness/stage.ts';
import type { ControlPlane } from '../../sandbox/control-plane/control-plane.ts';

/** Creates annotated ConfigMaps as a dry run, some at a time, until it is ended: every one is a call of the webhook. */
export class Load {
  readonly #place: ControlPlane;
  readonly #over = new AbortController();
  readonly #answers = new Map<number, number>();
  readonly #loops: readonly Promise<void>[];

  constructor(place: ControlPlane, list: string, atATime: number) {
    this.#place = place;
    this.#loops = Array.from({ length: atATime }, () => this.#loop(list));
  }

  /** Yields how many answers had each HTTP status. */
  async end(): Promise<ReadonlyMap<number, number>> {
    this.#over.abort();
    await Promise.all(this.#loops);
    return this.#answers;
  }

  async #loop(list: string): Promise<void> {
    while (!this.#over.signal.aborted) {
      const { status } = await this.#place.request(
        'POST',
        '/api/v1/namespaces/demo/configmaps?dryRun=All',
        { metadata: { generateName: 'load-', annotations: { [syncContexts]: list } } },
        { allowFailure: true },
      );
      this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1);
    }
  }
}

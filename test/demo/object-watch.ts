import { systemClock } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { connect } from '../../shared/kube/connection/connection.ts';
import { specFromKubeconfig } from '../../shared/kube/kubeconfig/kubeconfig.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { configMaps } from '../../shared/kube/resource.ts';
import { silentLogger } from '../../shared/logger.ts';

/** What a watch told of the object: how it is now, or (undefined) that it is gone. */
export interface Sight {
  /** When it was told, in milliseconds of the monotonic clock. */
  readonly at: number;
  readonly object: PayloadObject | undefined;
}

export interface Place {
  /** YAML, and the context of it to use. */
  readonly kubeconfig: string;
  readonly context: string;
  readonly namespace: string;
  readonly name: string;
}

/** Longer than any demo, so that the server never ends the watch in good order. */
const watchSeconds = 3_600;

/** Watches one ConfigMap of one cluster, and notes the moment of every change. */
export class ObjectWatch {
  readonly #place: Place;
  readonly #client: KubeClient;
  readonly #stop = new AbortController();
  readonly #sights: Sight[] = [];
  #changed: (() => void)[] = [];
  #following: Promise<void> = Promise.resolve();

  private constructor(place: Place) {
    this.#place = place;
    this.#client = connect(
      specFromKubeconfig(place.kubeconfig, { baseDirectory: undefined, context: place.context }),
      { clock: systemClock(), logger: silentLogger, userAgent: 'context-syncer-demo' },
    );
  }

  /** Resolves when the watch is open: no change from then on is missed. */
  static async open(place: Place): Promise<ObjectWatch> {
    const watch = new ObjectWatch(place);
    const { namespace, name } = place;
    const fieldSelector = `metadata.name=${name}`;
    const list = await watch.#client.list<PayloadObject>(configMaps, {
      namespace,
      fieldSelector,
      shape: 'full',
    });
    const events = await watch.#client.watch<PayloadObject>(configMaps, {
      namespace,
      fieldSelector,
      resourceVersion: list.metadata.resourceVersion ?? '',
      shape: 'full',
      timeoutSeconds: watchSeconds,
      idleTimeoutMs: watchSeconds * 1000,
      signal: watch.#stop.signal,
    });
    watch.#following = watch.#follow(events);
    return watch;
  }

  get context(): string {
    return this.#place.context;
  }

  /** `namespace/name`. */
  get object(): string {
    return `${this.#place.namespace}/${this.#place.name}`;
  }

  /** How many changes were told so far: where to look on from. */
  get mark(): number {
    return this.#sights.length;
  }

  /** The first sight from `mark` on that fits; waits for it until the signal aborts. */
  async sight(
    fits: (object: PayloadObject | undefined) => boolean,
    mark: number,
    signal: AbortSignal,
  ): Promise<Sight> {
    for (;;) {
      signal.throwIfAborted();
      const found = this.#sights.slice(mark).find(({ object }) => fits(object));
      if (found !== undefined) {
        return found;
      }
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.#client.close();
  }

  async #follow(events: Awaited<ReturnType<KubeClient['watch']>>): Promise<void> {
    try {
      for await (const event of events) {
        if (event.type !== 'BOOKMARK') {
          const object = event.type === 'DELETED' ? undefined : event.object;
          this.#sights.push({ at: performance.now(), object });
          for (const changed of this.#changed.splice(0)) {
            changed();
          }
        }
      }
    } catch {
      // Closed by us, or cut off: whoever waits for a sight then runs into its deadline.
    }
  }
}

import type { Keys } from '../../shared/keys.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';
import type { SourceEvents } from './event-reason.ts';

/** Objects whose Event is remembered; the oldest gets another one when it is seen again. */
const memoryLimit = 10_000;

export interface SyncNoticeOptions {
  readonly keys: Keys;
  readonly events: SourceEvents;
}

/** Reports on objects that carry Kubed's annotation for copies within one cluster, once each, that it is not acted upon. */
export class SyncNotice {
  readonly #options: SyncNoticeOptions;
  readonly #told = new Set<string>();

  constructor(options: SyncNoticeOptions) {
    this.#options = options;
  }

  /** Takes an object of the source cluster as it is now. */
  see(kind: SyncedKindName, { metadata }: KubeObject): void {
    const { keys, events } = this.#options;
    const { namespace, name, uid, annotations } = metadata;
    if (annotations?.[keys.sync] === undefined || uid === undefined || this.#told.has(uid)) {
      return;
    }
    this.#told.add(uid);
    const [oldest] = this.#told;
    if (this.#told.size > memoryLimit && oldest !== undefined) {
      this.#told.delete(oldest);
    }
    events.record({
      object: { apiVersion: 'v1', kind, namespace: namespace ?? '', name, uid },
      type: 'Warning',
      reason: 'SyncIgnored',
      message: `The annotation ${keys.sync} is not acted upon: no copies are made within the source cluster. To copy the object to other clusters, use ${keys.syncContexts}.`,
    });
  }
}

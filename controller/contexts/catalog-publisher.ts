import type { Catalog } from '../../shared/catalog/catalog.ts';
import {
  CatalogError,
  catalogConfigMapName,
  catalogKey,
  formatCatalog,
  parseCatalog,
} from '../../shared/catalog/document.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import type { Reflector } from '../../shared/kube/reflector/reflector.ts';
import { configMaps } from '../../shared/kube/resource.ts';
import { watchObject } from '../../shared/kube/watch-object.ts';
import type { Logger } from '../../shared/logger.ts';
import { Wakeup } from '../../shared/wakeup.ts';
import { withKnownIdentities } from './known-identities.ts';

/** Milliseconds in which changes are gathered: a kubeconfig's contexts are reached one after the other. */
const gatherMs = 100;
/** Milliseconds between two looks without a reason. */
const idleMs = 60_000;
const backoff = { baseMs: 500, maxMs: 5_000 };

export interface CatalogPublisherOptions {
  readonly client: KubeClient;
  /** How the ConfigMap is written: never to another cluster at the source's address. */
  readonly writes: Pick<KubeClient, 'create' | 'update'>;
  /** As for Reflector: what another cluster at the source's address lists is not acted upon. */
  readonly confirm: () => Promise<void>;
  /** The program's own namespace. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What else is kept in the ConfigMap; undefined for nothing. */
  readonly state: { readonly key: string; readonly text: () => string | undefined };
  /** Shown the ConfigMap whenever it is seen; undefined: it does not exist. */
  readonly onSeen: (configMap: PayloadObject | undefined) => void;
  /** Whether the catalog is for this process to publish; the state is in any case. */
  readonly publishes: () => boolean;
}

/**
 * Keeps the catalog published as a ConfigMap, for the webhook, and with it what must outlive this process. It is
 * written when it differs from what is there, so that it heals when somebody edits or deletes it, and an unchanged
 * one costs nothing. Several processes can do so at once: what is written names the version that was seen.
 */
export class CatalogPublisher {
  readonly #options: CatalogPublisherOptions;
  readonly #wakeup: Wakeup;
  #wanted: Catalog | undefined;
  /** What we published last; undefined before the first time. */
  #published: Catalog | undefined;
  /** Undefined until it was listed; null when it does not exist. */
  #stored: PayloadObject | null | undefined;
  #failing = false;

  constructor(options: CatalogPublisherOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Takes the catalog that is to be published from now on. */
  publish(catalog: Catalog): void {
    this.#wanted = catalog;
    this.#wakeup.wake();
  }

  /** True when the ConfigMap holds the state as it is now. */
  get isStateWritten(): boolean {
    const { key, text } = this.#options.state;
    return this.#stored?.data?.[key] === text();
  }

  /** The state changed, or whose the catalog is: what follows is written soon. */
  changed(): void {
    this.#wakeup.wake();
  }

  /** Publishes until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow().run(signal), this.#write(signal)]);
  }

  #follow(): Reflector<PayloadObject, PayloadObject> {
    const see = (object: PayloadObject | null): void => {
      this.#stored = object;
      this.#options.onSeen(object ?? undefined);
      this.#wakeup.wake();
    };
    return watchObject<PayloadObject>({
      ...this.#options,
      resource: configMaps,
      name: catalogConfigMapName,
      onObject: see,
      onAbsent: () => {
        see(null);
      },
      onFailure: (error) => {
        this.#failed(error);
      },
    });
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      await this.#wakeup.sleep(failures === 0 ? idleMs : backoffMs(failures, backoff, random), signal);
      await clock.sleep(gatherMs, signal);
      failures = signal.aborted || (await this.#bringInSync(signal)) ? 0 : failures + 1;
    }
  }

  /** Yields false when it should be tried again soon. */
  async #bringInSync(signal: AbortSignal): Promise<boolean> {
    const { writes, namespace, logger, state, publishes } = this.#options;
    const stored = this.#stored;
    if (stored === undefined) {
      return true;
    }
    const storedText = stored?.data?.[catalogKey];
    // The state does not wait for contexts: a trip before them must outlive the process, too.
    const catalog =
      this.#wanted !== undefined && publishes()
        ? withKnownIdentities(this.#wanted, this.#published ?? readable(storedText))
        : undefined;
    const text = catalog === undefined ? storedText : formatCatalog(catalog);
    const stateText = state.text();
    const data = {
      ...(text === undefined ? {} : { [catalogKey]: text }),
      ...(stateText === undefined ? {} : { [state.key]: stateText }),
    };
    if (storedText === text && stored?.data?.[state.key] === stateText) {
      this.#published = catalog;
      return true;
    }
    const object: PayloadObject = {
      apiVersion: 'v1',
      kind: configMaps.kind,
      metadata: {
        ...stored?.metadata,
        name: catalogConfigMapName,
        namespace,
        labels: { ...stored?.metadata.labels, 'app.kubernetes.io/name': 'context-syncer' },
      },
      data,
    };
    try {
      this.#stored = await (stored === null
        ? writes.create(configMaps, object, { signal })
        : writes.update(configMaps, object, { signal }));
      this.#published = catalog;
      if (this.#failing) {
        logger.info('catalog of contexts is published again', { namespace, configMap: catalogConfigMapName });
      }
      this.#failing = false;
      return true;
    } catch (error) {
      // Somebody else wrote it; the watch shows what is there now.
      if (!isApiError(error, 'Conflict', 'AlreadyExists', 'NotFound')) {
        this.#failed(error);
      }
      return false;
    }
  }

  #failed(error: unknown): void {
    if (!this.#failing) {
      const { logger, namespace } = this.#options;
      logger.warn('catalog of contexts cannot be published, the webhook keeps an older one', {
        namespace,
        configMap: catalogConfigMapName,
        ...errorFields(error),
      });
    }
    this.#failing = true;
  }
}

/** A catalog of an earlier run; empty where there is none that can be read. */
function readable(text: string | undefined): Catalog {
  try {
    return text === undefined ? { contexts: new Map() } : parseCatalog(text);
  } catch (error) {
    if (error instanceof CatalogError) {
      return { contexts: new Map() };
    }
    throw error;
  }
}

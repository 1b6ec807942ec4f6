import type { Catalog } from '../shared/catalog/catalog.ts';
import { type Installation, installationKeys } from '../shared/catalog/catalog-settings.ts';
import { CatalogError, catalogConfigMapName, catalogKey, parseCatalog } from '../shared/catalog/document.ts';
import type { Clock, Random } from '../shared/clock.ts';
import { errorFields } from '../shared/error-fields.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import { isApiError } from '../shared/kube/errors.ts';
import type { PayloadObject } from '../shared/kube/object.ts';
import type { Reflector } from '../shared/kube/reflector/reflector.ts';
import { configMaps } from '../shared/kube/resource.ts';
import { watchObject } from '../shared/kube/watch-object.ts';
import { ChangeLog } from '../shared/log/change-log.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import { flagOf } from '../shared/settings/setting.ts';
import type { CatalogInUse } from './review.ts';

export interface CatalogWatchOptions {
  readonly client: KubeClient;
  /** Where the controller publishes the catalog: the program's own namespace. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What this process was told; the controller's catalog says what it was told. */
  readonly installation: Installation;
  /** Called for every text that was looked at. */
  readonly onRead: (result: 'accepted' | 'refused') => void;
}

/** What keeps the catalog from being current, for people. */
interface Trouble {
  /** A clause: what is the matter. */
  readonly what: string;
  /** A clause: what to do about it. */
  readonly remedy: string;
  /** Monotonic milliseconds; for trouble that is over as soon as the watch says anything again. */
  readonly unreadableAt?: number;
}

/**
 * The catalog as the controller publishes it, kept current. What cannot be used, and a ConfigMap that went away, change
 * nothing: the last good catalog stays in use.
 */
export class CatalogWatch {
  readonly #options: CatalogWatchOptions;
  readonly #configMap: string;
  readonly #log: ChangeLog;
  readonly #reflector: Reflector<PayloadObject, PayloadObject>;
  #catalog: Catalog | undefined;
  #text: string | undefined;
  #trouble: Trouble | undefined;
  /** Monotonic milliseconds at which the catalog in use was last known to be the published one. */
  #confirmedAt: number | undefined;

  constructor(options: CatalogWatchOptions) {
    this.#options = options;
    this.#log = new ChangeLog(options.logger);
    this.#configMap = `ConfigMap ${options.namespace}/${catalogConfigMapName}`;
    this.#trouble = {
      what: `${this.#configMap} has not been read yet`,
      remedy: 'the webhook has only just started; try again in a few seconds',
    };
    this.#reflector = watchObject<PayloadObject>({
      ...options,
      resource: configMaps,
      name: catalogConfigMapName,
      onObject: (configMap) => {
        this.#take(configMap);
      },
      onAbsent: (how) => {
        this.#missing(how);
      },
      onFailure: (error) => {
        this.#unreadable(error);
      },
    });
  }

  /** What to review against. */
  get inUse(): CatalogInUse {
    if (this.#catalog !== undefined) {
      return { catalog: this.#catalog };
    }
    const { what, remedy } = this.#trouble ?? { what: 'nothing was read', remedy: 'try again' };
    return { missing: `The contexts are not known: ${what}; ${remedy}.` };
  }

  /** True while the catalog in use is the published one, as far as is known. */
  get current(): boolean {
    const since = this.#trouble?.unreadableAt;
    return (
      this.#trouble === undefined ||
      (this.#catalog !== undefined && since !== undefined && (this.#reflector.lastContact ?? 0) > since)
    );
  }

  /** The settings in which the controller that published the catalog in use differs from this process, as flags. */
  get differingSettings(): readonly string[] {
    const theirs = this.#catalog?.installation;
    const { installation } = this.#options;
    return theirs === undefined
      ? []
      : installationKeys.filter((key) => theirs[key] !== installation[key]).map(flagOf);
  }

  /** Seconds since the catalog in use was last known to be the published one; undefined where there is none. */
  get ageSeconds(): number | undefined {
    if (this.current) {
      // As long as the watch lives, so does the catalog; its last sign of life counts.
      this.#confirmedAt = this.#reflector.lastContact ?? this.#confirmedAt;
    }
    return this.#confirmedAt === undefined
      ? undefined
      : Math.max(0, this.#options.clock.monotonic() - this.#confirmedAt) / 1000;
  }

  /** Follows the ConfigMap until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#reflector.run(signal);
  }

  #take({ data }: PayloadObject): void {
    const { logger, onRead, clock } = this.#options;
    const text = data?.[catalogKey];
    if (text !== undefined && text === this.#text) {
      this.#recovered();
      return;
    }
    try {
      if (text === undefined) {
        throw new CatalogError([`it has no key "${catalogKey}"`]);
      }
      const catalog = parseCatalog(text);
      this.#catalog = catalog;
      this.#text = text;
      this.#confirmedAt = clock.monotonic();
      this.#recovered();
      onRead('accepted');
      logger.info('catalog of contexts read', { contexts: catalog.contexts.size });
      const flags = this.differingSettings;
      if (flags.length > 0) {
        logger.error('controller and webhook have different settings, so they look at different objects', {
          flags,
        });
      }
    } catch (error) {
      if (!(error instanceof CatalogError)) {
        throw error;
      }
      onRead('refused');
      this.#trouble = {
        what: `${this.#configMap} is damaged (${error.problems.join('; ')})`,
        remedy: this.#seeController('which repairs it'),
      };
      this.#complain({ problems: error.problems });
    }
  }

  #missing(how: 'does not exist' | 'was deleted'): void {
    this.#trouble = {
      what: `${this.#configMap} ${how}`,
      remedy: this.#seeController('which writes it'),
    };
    this.#complain({});
  }

  #seeController(which: string): string {
    return `see that the controller, ${which}, runs with --namespace=${this.#options.namespace} and has read its contexts`;
  }

  #unreadable(error: unknown): void {
    const forbidden = isApiError(error, 'Forbidden', 'Unauthorized');
    // A watch that breaks off is ordinary, and the next one follows; without rights the next fails, too.
    if (this.#catalog !== undefined && !forbidden) {
      return;
    }
    this.#trouble = {
      unreadableAt: this.#options.clock.monotonic(),
      what: `${this.#configMap} cannot be read`,
      remedy: forbidden
        ? `the webhook needs list and watch on ConfigMaps in namespace ${this.#options.namespace}`
        : 'see the log of the webhook for the reason',
    };
    this.#complain(errorFields(error));
  }

  #recovered(): void {
    this.#trouble = undefined;
    this.#log.clear();
  }

  /** Said once for each trouble, though it may be met every few seconds. */
  #complain(fields: LogFields): void {
    const more = { what: this.#trouble?.what, remedy: this.#trouble?.remedy, ...fields };
    if (this.#catalog === undefined) {
      this.#log.warn('no catalog of contexts, annotated objects are refused', more);
    } else {
      this.#log.error('catalog of contexts is not usable, the last good one stays in use', more);
    }
  }
}

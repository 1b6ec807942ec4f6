import type { Clock, Random } from '../shared/clock.ts';
import type { Keys } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import type { KubeObject } from '../shared/kube/object.ts';
import { Reflector } from '../shared/kube/reflector.ts';
import { validatingWebhookConfigurations } from '../shared/kube/resource.ts';
import { errorFields } from '../shared/log/error-fields.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import { type ConfigurationFindings, findingsOf } from './configuration-check.ts';

export interface ConfigurationWatchOptions {
  readonly client: KubeClient;
  /** Of the ValidatingWebhookConfiguration. */
  readonly name: string;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const nothingFound: ConfigurationFindings = { problems: [], otherPrefix: undefined };

/** Looks at the webhook's own configuration, at the start and whenever it changes. */
export class ConfigurationWatch {
  readonly #options: ConfigurationWatchOptions;
  #findings = nothingFound;
  #lastLogged: string | undefined;

  constructor(options: ConfigurationWatchOptions) {
    this.#options = options;
  }

  /** What is wrong with the configuration that is there; empty while none was seen. */
  get problems(): readonly string[] {
    return this.#findings.problems;
  }

  /** Set while the configuration certainly sends objects of another prefix and none of ours. */
  get otherPrefix(): string | undefined {
    return this.#findings.otherPrefix;
  }

  /** Follows the configuration until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { name } = this.#options;
    const reflector = new Reflector<KubeObject, KubeObject>({
      ...this.#options,
      resource: validatingWebhookConfigurations,
      fieldSelector: `metadata.name=${name}`,
      firstListShape: 'full',
      shape: 'full',
      handler: {
        project: (configuration) => configuration,
        replaced: ([configuration]) => {
          this.#look(configuration);
        },
        event: ({ type, object }) => {
          this.#look(type === 'DELETED' ? undefined : object);
        },
        failed: (error) => {
          this.#say('webhook configuration cannot be read', errorFields(error));
        },
      },
    });
    await reflector.run(signal);
  }

  #look(configuration: KubeObject | undefined): void {
    const { name, keys, logger } = this.#options;
    if (configuration === undefined) {
      this.#findings = nothingFound;
      this.#say('webhook configuration does not exist, so nothing is sent here');
      return;
    }
    this.#findings = findingsOf(name, configuration, keys);
    if (this.problems.length > 0) {
      this.#say('webhook configuration is wrong', { problems: this.problems });
    } else {
      this.#lastLogged = undefined;
      logger.debug('webhook configuration is as it should be', { name });
    }
  }

  /** Once, until something else is the matter. */
  #say(message: string, fields: LogFields = {}): void {
    const text = JSON.stringify([message, fields]);
    if (text !== this.#lastLogged) {
      this.#lastLogged = text;
      this.#options.logger.warn(message, { name: this.#options.name, ...fields });
    }
  }
}

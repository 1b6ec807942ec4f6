import type { Clock, Random } from '../shared/clock.ts';
import { errorFields } from '../shared/error-fields.ts';
import type { Keys } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import type { KubeObject } from '../shared/kube/object.ts';
import { validatingWebhookConfigurations } from '../shared/kube/resource.ts';
import { watchObject } from '../shared/kube/watch-object.ts';
import { ChangeLog } from '../shared/log/change-log.ts';
import type { Logger } from '../shared/logger.ts';
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
  readonly #log: ChangeLog;
  #findings = nothingFound;

  constructor(options: ConfigurationWatchOptions) {
    this.#options = options;
    this.#log = new ChangeLog(options.logger);
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
    await watchObject({
      ...this.#options,
      resource: validatingWebhookConfigurations,
      onObject: (configuration) => {
        this.#look(configuration);
      },
      onAbsent: () => {
        this.#look(undefined);
      },
      onFailure: (error) => {
        this.#log.warn('webhook configuration cannot be read', { name, ...errorFields(error) });
      },
    }).run(signal);
  }

  #look(configuration: KubeObject | undefined): void {
    const { name, keys, logger } = this.#options;
    if (configuration === undefined) {
      this.#findings = nothingFound;
      this.#log.warn('webhook configuration does not exist, so nothing is sent here', { name });
      return;
    }
    this.#findings = findingsOf(name, configuration, keys);
    if (this.problems.length > 0) {
      this.#log.warn('webhook configuration is wrong', { name, problems: this.problems });
    } else {
      this.#log.clear();
      logger.debug('webhook configuration is as it should be', { name });
    }
  }
}

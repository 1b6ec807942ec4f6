import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { AllowedPlugins } from '../../shared/kube/kubeconfig/exec.ts';
import {
  type ContextEntry,
  KubeconfigError,
  parseKubeconfig,
} from '../../shared/kube/kubeconfig/kubeconfig.ts';
import { ChangeLog } from '../../shared/log/change-log.ts';
import type { Logger } from '../../shared/logger.ts';
import { explained, nameOf, readGivenKubeconfig } from '../../shared/settings/given-kubeconfig.ts';
import type { KubeconfigReference } from '../settings/settings.ts';
import { followKubeconfigFile, type KubeconfigText } from './kubeconfig-file.ts';
import { followKubeconfigSecret } from './kubeconfig-secret.ts';

/** `refused`, `missing`: the last good kubeconfig stays in use. */
export type ReadResult = 'accepted' | 'refused' | 'missing';

export interface KubeconfigWatchOptions {
  readonly setting: KubeconfigReference;
  /** Exec plugins that may be run. */
  readonly plugins: AllowedPlugins | undefined;
  /** The source cluster, for a Secret. */
  readonly client: Pick<KubeClient, 'list' | 'watch' | 'server'>;
  /** As for Reflector: targets that another cluster at the source's address names are not ours. */
  readonly confirm: () => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called with the contexts of every kubeconfig that could be read. */
  readonly onContexts: (contexts: readonly ContextEntry[]) => void;
  readonly onRead: (result: ReadResult) => void;
}

/**
 * The kubeconfig with the target contexts, kept current. A text that cannot be used changes nothing: the last good one
 * stays in use, and the log says what is wrong.
 */
export class KubeconfigWatch {
  readonly #options: KubeconfigWatchOptions;
  #hasUsable = false;
  readonly #log: ChangeLog;
  #problemsShown = new Map<string, string>();

  constructor(options: KubeconfigWatchOptions) {
    this.#options = options;
    this.#log = new ChangeLog(options.logger);
  }

  /** Follows the kubeconfig until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { setting, client, confirm, clock, random, logger } = this.#options;
    const onText = (config: KubeconfigText): void => {
      this.#take(config);
    };
    const onMissing = (what: string, error?: unknown): void => {
      this.#options.onRead('missing');
      this.#complain(what, error);
    };
    const onUnknown = (what: string, error: unknown): void => {
      this.#complain(what, error);
    };
    await (setting.from === 'file'
      ? followKubeconfigFile(
          {
            path: setting.path,
            clock,
            onText,
            onUnreadable: (error) => {
              onMissing(`file ${setting.path} cannot be read`, error);
            },
          },
          signal,
        )
      : followKubeconfigSecret(
          { ...setting, client, confirm, clock, random, logger, onText, onMissing, onUnknown },
          signal,
        ));
  }

  #take({ text, baseDirectory }: KubeconfigText): void {
    const { logger, onContexts, onRead, plugins } = this.#options;
    let contexts: readonly ContextEntry[];
    try {
      ({ contexts } = parseKubeconfig(text, { baseDirectory, plugins }));
    } catch (error) {
      if (!(error instanceof KubeconfigError)) {
        throw error;
      }
      onRead('refused');
      this.#complain('the kubeconfig cannot be used', undefined, error.problems);
      return;
    }
    const unusable = contexts.flatMap((context) => ('problem' in context ? [context] : []));
    if (this.#hasUsable && unusable.length === contexts.length) {
      // A file that is being written can end before its users, which come last: that is no wish to lose every target.
      onRead('refused');
      this.#complain(
        'none of its contexts can be used',
        undefined,
        unusable.map(({ name, problem }) => `context "${name}": ${problem}`),
      );
      return;
    }
    this.#hasUsable = unusable.length < contexts.length;
    onRead('accepted');
    this.#log.clear();
    logger.info('kubeconfig with the target contexts read', { contexts: contexts.map(({ name }) => name) });
    this.#showProblems(contexts);
    onContexts(contexts);
  }

  #complain(what: string, error: unknown, problems: readonly string[] = []): void {
    this.#log.error('kubeconfig with the target contexts is not usable, the last good one stays in use', {
      what,
      problems,
      ...(error === undefined ? {} : errorFields(error)),
    });
  }

  #showProblems(contexts: readonly ContextEntry[]): void {
    const shown = this.#problemsShown;
    this.#problemsShown = new Map();
    for (const context of contexts) {
      if ('problem' in context) {
        this.#problemsShown.set(context.name, context.problem);
        if (shown.get(context.name) !== context.problem) {
          this.#options.logger.warn('context cannot be used', {
            context: context.name,
            problem: context.problem,
          });
        }
      }
    }
  }
}

/**
 * Throws StartupError when a kubeconfig file is missing or unusable at the start: somebody is there to correct it. A
 * Secret may come later.
 */
export async function checkContexts(setting: KubeconfigReference): Promise<void> {
  if (setting.from === 'file') {
    const flag = '--contexts-kubeconfig';
    const { text, baseDirectory } = await readGivenKubeconfig(flag, setting.path);
    explained(nameOf(flag, setting.path), () => parseKubeconfig(text, { baseDirectory }));
  }
}

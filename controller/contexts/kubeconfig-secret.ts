import type { Clock, Random } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { secrets } from '../../shared/kube/resource.ts';
import { watchObject } from '../../shared/kube/watch-object.ts';
import type { Logger } from '../../shared/logger.ts';
import type { KubeconfigText } from './kubeconfig-file.ts';

/**
 * Hands over the kubeconfig in a Secret at first and whenever it changed, until the signal aborts. The Secret is read
 * and watched through the API, not mounted: a mounted one lags by up to a minute.
 */
export async function followKubeconfigSecret(
  options: {
    readonly client: Pick<KubeClient, 'list' | 'watch' | 'server'>;
    readonly confirm: () => Promise<void>;
    readonly namespace: string;
    readonly name: string;
    readonly key: string;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly onText: (config: KubeconfigText) => void;
    /** The Secret or its key is missing; what was read last stays in use. */
    readonly onMissing: (what: string) => void;
    /** The API server does not say what the Secret holds. */
    readonly onUnknown: (what: string, error: unknown) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, key, onUnknown } = options;
  let last: string | undefined;
  const onMissing = (what: string): void => {
    last = undefined;
    options.onMissing(what);
  };
  const take = ({ data }: PayloadObject): void => {
    const encoded = data?.[key];
    if (encoded === undefined) {
      onMissing(`Secret ${namespace}/${name} has no key "${key}"`);
      return;
    }
    if (encoded !== last) {
      last = encoded;
      options.onText({ text: Buffer.from(encoded, 'base64').toString('utf8'), baseDirectory: undefined });
    }
  };
  const secret = `Secret ${namespace}/${name}`;
  await watchObject<PayloadObject>({
    ...options,
    resource: secrets,
    onObject: take,
    onAbsent: (how) => {
      onMissing(`${secret} ${how}`);
    },
    onFailure: (error) => {
      onUnknown(`${secret} cannot be read`, error);
    },
  }).run(signal);
}

import type { Clock, Random } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { Reflector } from '../../shared/kube/reflector.ts';
import { secrets } from '../../shared/kube/resource.ts';
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
    /** The Secret or its key is missing, or cannot be read; what was read last stays in use. */
    readonly onMissing: (what: string, error?: unknown) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, key, onMissing } = options;
  let last: string | undefined;
  const take = (secret: PayloadObject): void => {
    const encoded = secret.data?.[key];
    if (encoded === undefined) {
      onMissing(`Secret ${namespace}/${name} has no key "${key}"`);
      return;
    }
    if (encoded !== last) {
      last = encoded;
      options.onText({ text: Buffer.from(encoded, 'base64').toString('utf8'), baseDirectory: undefined });
    }
  };
  const reflector = new Reflector<PayloadObject, PayloadObject>({
    ...options,
    resource: secrets,
    fieldSelector: `metadata.name=${name}`,
    firstListShape: 'full',
    shape: 'full',
    handler: {
      project: (secret) => secret,
      replaced: ([secret]) => {
        if (secret === undefined) {
          onMissing(`Secret ${namespace}/${name} does not exist`);
        } else {
          take(secret);
        }
      },
      event: ({ type, object }) => {
        if (type === 'DELETED') {
          onMissing(`Secret ${namespace}/${name} was deleted`);
        } else {
          take(object);
        }
      },
      failed: (error) => {
        onMissing(`Secret ${namespace}/${name} cannot be read`, error);
      },
    },
  });
  await reflector.run(signal);
}

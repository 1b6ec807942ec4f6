import { randomBytes } from 'node:crypto';
import { errorFields } from '../../shared/error-fields.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { secrets } from '../../shared/kube/resource.ts';
import type { Logger } from '../../shared/logger.ts';

export const stampKeySecretName = 'context-syncer-stamp-key';
const entry = 'key';
const keyBytes = 32;

/**
 * The key under which contents are stamped. It lives in a Secret of our namespace, so that a restart (or another
 * replica) recognises its stamps. Where that Secret cannot be had, a key of this process serves: contents are then
 * read and compared after a restart, which costs requests and nothing else.
 */
export async function loadStampKey(
  client: Pick<KubeClient, 'get' | 'create'>,
  namespace: string,
  logger: Logger,
): Promise<Buffer> {
  try {
    return (await readKey(client, namespace)) ?? (await createKey(client, namespace));
  } catch (error) {
    logger.warn('stamp key cannot be kept in a Secret, contents will be compared in full after a restart', {
      namespace,
      secret: stampKeySecretName,
      ...errorFields(error),
    });
    return randomBytes(keyBytes);
  }
}

async function readKey(client: Pick<KubeClient, 'get'>, namespace: string): Promise<Buffer | undefined> {
  try {
    const secret = await client.get<PayloadObject>(secrets, namespace, stampKeySecretName);
    const key = Buffer.from(secret.data?.[entry] ?? '', 'base64');
    return key.length >= keyBytes ? key : undefined;
  } catch (error) {
    if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {
      return undefined;
    }
    throw error;
  }
}

async function createKey(client: Pick<KubeClient, 'get' | 'create'>, namespace: string): Promise<Buffer> {
  const key = randomBytes(keyBytes);
  try {
    await client.create<PayloadObject>(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: stampKeySecretName,
        namespace,
        labels: { 'app.kubernetes.io/name': 'context-syncer' },
      },
      type: 'Opaque',
      immutable: true,
      data: { [entry]: key.toString('base64') },
    });
    return key;
  } catch (error) {
    const present = isApiError(error, 'AlreadyExists') ? await readKey(client, namespace) : undefined;
    if (present === undefined) {
      throw error;
    }
    return present;
  }
}

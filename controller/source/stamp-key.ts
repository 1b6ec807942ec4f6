import { randomBytes } from 'node:crypto';
import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { secrets } from '../../shared/kube/resource.ts';
import type { Logger } from '../../shared/logger.ts';

export const stampKeySecretName = 'context-syncer-stamp-key';
const entry = 'key';
const keyBytes = 32;
const backoff = { baseMs: 500, maxMs: 10_000 };
/** What an API server says of a Secret that it will not give or take the next time either. */
const refusals = ['Forbidden', 'NamespaceNotFound', 'NamespaceTerminating', 'Invalid', 'BadRequest'] as const;

export interface StampKeyOptions {
  readonly client: Pick<KubeClient, 'get' | 'create'>;
  /** The program's own namespace. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * The key under which contents are stamped and origins are sealed. It lives in a Secret of our namespace, so that a restart
 * (or another replica) recognises what was written with it. It is asked for as long as it takes: under another key no copy
 * shows that the source cluster was restored. Where the API server refuses the Secret, a key of this process serves.
 */
export async function loadStampKey(options: StampKeyOptions): Promise<Buffer> {
  const { client, namespace, clock, random, logger, signal } = options;
  const place = { namespace, secret: stampKeySecretName };
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      return (await readKey(client, namespace)) ?? (await createKey(client, namespace));
    } catch (error) {
      const fields = { ...place, ...errorFields(error) };
      if (isApiError(error, ...refusals)) {
        logger.warn(
          'stamp key cannot be kept in a Secret, contents will be compared in full after a restart',
          fields,
        );
        break;
      }
      logger.error('stamp key cannot be read, no work begins before that', fields);
    }
    await clock.sleep(backoffMs(failures, backoff, random), signal);
  }
  return randomBytes(keyBytes);
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

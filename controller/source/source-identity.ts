import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient, RequestOptions } from '../../shared/kube/client.ts';
import { isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import { namespaces } from '../../shared/kube/resource.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ClusterEvidence } from '../contexts/evidence.ts';
import { probeCluster } from '../contexts/probe.ts';
import type { KnownSource } from './known-source.ts';

/** Milliseconds that a check of the identity may take: others wait for it. */
export const checkTimeoutMs = 5_000;
const backoff = { baseMs: 500, maxMs: 10_000 };

/** Who the source cluster is: recorded on every copy, and the test for what is never a target. */
export interface SourceIdentity {
  readonly uid: string;
  readonly evidence: ClusterEvidence;
}

/** The uid of kube-system. Throws what the client throws, and TransportError where there is none. */
export async function kubeSystemUid(
  client: KubeClient,
  options: Pick<RequestOptions, 'signal' | 'onFlowSchema'>,
): Promise<string> {
  const uid = await namespaceUid(client, 'kube-system', { ...options, timeoutMs: checkTimeoutMs });
  if (uid === undefined) {
    throw new TransportError('MalformedAnswer', true, 'a namespace kube-system without a uid');
  }
  return uid;
}

/**
 * Asks the source cluster who it is, for as long as it takes to become the one that the process works for: without
 * that, neither ownership nor the rule that the source is never a target can be kept. Undefined when the signal aborts
 * first.
 */
export async function identifySource(options: {
  readonly client: KubeClient;
  readonly source: KnownSource;
  /** As for IdentityCheck. */
  readonly readUid: () => Promise<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<SourceIdentity | undefined> {
  const { client, source, readUid, clock, random, logger, signal } = options;
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const uid = await readUid();
      if (source.recognise(uid)) {
        const evidence = await probeCluster(client, undefined, () => Promise.resolve(undefined), { signal });
        if (evidence.kubeSystemUid === uid) {
          return { uid, evidence };
        }
      }
    } catch (error) {
      if (isApiError(error, 'Forbidden')) {
        logger.error('source cluster does not say who it is: grant get on the namespace kube-system', {
          server: client.server,
        });
      } else if (!signal.aborted) {
        logger.error('source cluster cannot be reached', { server: client.server, ...errorFields(error) });
      }
    }
    await clock.sleep(backoffMs(failures, backoff, random), signal);
  }
  return undefined;
}

/** Uid of a namespace of the source cluster; undefined when there is none of that name. */
export async function sourceNamespaceUid(client: KubeClient, namespace: string): Promise<string | undefined> {
  try {
    return await namespaceUid(client, namespace);
  } catch (error) {
    if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {
      return undefined;
    }
    throw error;
  }
}

async function namespaceUid(
  client: KubeClient,
  namespace: string,
  options: RequestOptions = {},
): Promise<string | undefined> {
  const found = await client.get<KubeObject>(namespaces, undefined, namespace, {
    ...options,
    shape: 'metadata',
  });
  return found.metadata.uid;
}

import type { Clock, Random } from '../../shared/clock.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import { namespaces } from '../../shared/kube/resource.ts';
import { errorFields } from '../../shared/log/error-fields.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ClusterEvidence } from '../contexts/evidence.ts';
import { probeCluster } from '../contexts/probe.ts';

const backoff = { baseMs: 500, maxMs: 10_000 };

/** Who the source cluster is: recorded on every copy, and the test for what is never a target. */
export interface SourceIdentity {
  readonly uid: string;
  readonly evidence: ClusterEvidence;
}

/**
 * Asks the source cluster who it is, for as long as it takes: without that, neither ownership nor the rule that the
 * source is never a target can be kept. Undefined when the signal aborts first.
 */
export async function identifySource(options: {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<SourceIdentity | undefined> {
  const { client, clock, random, logger, signal } = options;
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const evidence = await probeCluster(client, undefined, () => Promise.resolve(undefined), { signal });
      if (evidence.kubeSystemUid !== undefined) {
        return { uid: evidence.kubeSystemUid, evidence };
      }
      logger.error('source cluster does not say who it is: grant get on the namespace kube-system', {
        server: client.server,
      });
    } catch (error) {
      if (!signal.aborted) {
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
    const found = await client.get<KubeObject>(namespaces, undefined, namespace, { shape: 'metadata' });
    return found.metadata.uid;
  } catch (error) {
    if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {
      return undefined;
    }
    throw error;
  }
}

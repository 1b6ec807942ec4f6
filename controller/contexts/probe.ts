import type { KubeClient, RequestOptions } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import { namespaces } from '../../shared/kube/resource.ts';
import type { ClusterEvidence } from './evidence.ts';

/**
 * Asks a cluster which one it is, with whatever rights the credentials have. Throws when it does not answer, or refuses the
 * credentials altogether; missing rights only make the evidence weaker. Where kube-system may not be read, the namespace
 * is compared with the source cluster's, so that the source is recognised under any address.
 */
export async function probeCluster(
  client: KubeClient,
  namespace: string | undefined,
  sourceNamespaceUid: (namespace: string) => Promise<string | undefined>,
  options: RequestOptions,
): Promise<ClusterEvidence> {
  const home = namespace ?? 'default';
  const [kubeSystemUid, uid] = await Promise.all([
    namespaceUid(client, 'kube-system', options),
    namespaceUid(client, home, options),
  ]);
  const weak = kubeSystemUid === undefined && uid !== undefined;
  return {
    kubeSystemUid,
    namespace: uid === undefined ? undefined : { name: home, uid },
    sharesSourceNamespace: weak ? (await askSource(sourceNamespaceUid, home)) === uid : undefined,
  };
}

/**
 * Whether the cluster still is the one that this evidence is of: one request. Throws as `probeCluster` does.
 */
export async function isStillCluster(
  client: KubeClient,
  { kubeSystemUid, namespace }: ClusterEvidence,
  options: RequestOptions,
): Promise<boolean> {
  const [name, uid] =
    kubeSystemUid === undefined ? [namespace?.name, namespace?.uid] : ['kube-system', kubeSystemUid];
  return name !== undefined && (await namespaceUid(client, name, options)) === uid;
}

/** The source cluster could not be asked, with which the target has to be compared. It says nothing of the target. */
export class SourceSilentError extends Error {
  override readonly name = 'SourceSilentError';
  constructor(cause: unknown) {
    super('the source cluster could not be asked', { cause });
  }
}

async function askSource<T>(ask: (namespace: string) => Promise<T>, namespace: string): Promise<T> {
  try {
    return await ask(namespace);
  } catch (error) {
    throw new SourceSilentError(error);
  }
}

/** The namespace's uid, or undefined where it does not exist or may not be read. */
async function namespaceUid(
  client: KubeClient,
  name: string,
  options: RequestOptions,
): Promise<string | undefined> {
  try {
    const namespace = await client.get<KubeObject>(namespaces, undefined, name, {
      ...options,
      shape: 'metadata',
    });
    return namespace.metadata.uid;
  } catch (error) {
    if (isApiError(error, 'Forbidden', 'NotFound', 'NamespaceNotFound', 'NamespaceTerminating')) {
      return undefined;
    }
    throw error;
  }
}

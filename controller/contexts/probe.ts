import { createHash } from 'node:crypto';
import type { KubeClient, RequestOptions } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { KubeObject, PayloadObject } from '../../shared/kube/object.ts';
import { configMaps, namespaces, type Resource } from '../../shared/kube/resource.ts';
import type { ClusterEvidence } from './evidence.ts';

/**
 * Asks a cluster who it is, with whatever rights the credentials have. Throws when it does not answer, or refuses the
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
  const [kubeSystem, own, rootCa] = await Promise.all([
    readable<KubeObject>(client, namespaces, undefined, 'kube-system', options),
    readable<KubeObject>(client, namespaces, undefined, home, options),
    readable<PayloadObject>(client, configMaps, home, 'kube-root-ca.crt', options),
  ]);
  const uid = own?.metadata.uid;
  const weak = kubeSystem?.metadata.uid === undefined && uid !== undefined;
  const certificate = rootCa?.data?.['ca.crt'];
  return {
    kubeSystemUid: kubeSystem?.metadata.uid,
    namespace: uid === undefined ? undefined : { name: home, uid },
    sharesSourceNamespace: weak ? (await askSource(sourceNamespaceUid, home)) === uid : undefined,
    rootCaHash:
      certificate === undefined ? undefined : createHash('sha256').update(certificate).digest('hex'),
  };
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

/** The object, or undefined where it does not exist or may not be read. */
async function readable<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  namespace: string | undefined,
  name: string,
  options: RequestOptions,
): Promise<T | undefined> {
  try {
    return await client.get<T>(resource, namespace, name, options);
  } catch (error) {
    if (isApiError(error, 'Forbidden', 'NotFound', 'NamespaceNotFound', 'NamespaceTerminating')) {
      return undefined;
    }
    throw error;
  }
}

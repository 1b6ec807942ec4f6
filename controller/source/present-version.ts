import type { KubeClient } from '../../shared/kube/client.ts';
import { ApiError } from '../../shared/kube/errors.ts';
import { wentBack } from '../../shared/kube/object.ts';
import type { Resource } from '../../shared/kube/resource.ts';

/**
 * The version that the API server has reached now: a list of one item, read from its storage. Throws what the client
 * throws.
 */
export async function presentVersion(
  client: KubeClient,
  resource: Resource,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { metadata } = await client.list(resource, { limit: 1, shape: 'metadata', signal });
  return metadata.resourceVersion;
}

/**
 * Throws Gone where the server has yet to reach the version that a watch was opened at: its storage was restored, and
 * the watch would say nothing until it gets there.
 */
export async function assertReached(
  client: KubeClient,
  resource: Resource,
  position: string,
  signal: AbortSignal,
): Promise<void> {
  const present = await presentVersion(client, resource, signal);
  if (present !== undefined && wentBack(present, position)) {
    throw new ApiError(410, 'Gone');
  }
}

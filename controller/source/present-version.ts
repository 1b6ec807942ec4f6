import type { Clock, Random } from '../../shared/clock.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { ApiError } from '../../shared/kube/errors.ts';
import { wentBack } from '../../shared/kube/object.ts';
import type { Resource } from '../../shared/kube/resource.ts';
import { syncedKinds } from '../../shared/synced-kind.ts';
import type { SourceIndex } from './source-index.ts';

const backoff = { baseMs: 500, maxMs: 10_000 };

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

/**
 * Has the index note the version that the source cluster has reached now, for as long as it takes. Another process may have
 * written copies of later versions than the watches of this one have shown: without this, they would look like a restore.
 * Returns early when the signal aborts.
 */
export async function notePresentVersion(
  sources: Pick<SourceIndex, 'noteReadVersion'>,
  options: {
    readonly client: KubeClient;
    readonly clock: Clock;
    readonly random: Random;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { client, clock, random, signal } = options;
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const versions = await Promise.all(
        syncedKinds.map(({ resource }) => presentVersion(client, resource, signal)),
      );
      for (const version of versions) {
        sources.noteReadVersion(version ?? '');
      }
      return;
    } catch {
      // The watches report a source that does not answer.
      await clock.sleep(backoffMs(failures, backoff, random), signal);
    }
  }
}

import type { Clock } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { syncedKinds } from '../../shared/synced-kind.ts';
import type { KnownSource } from './known-source.ts';
import { presentVersion } from './present-version.ts';

/** Milliseconds between two looks. */
const lookMs = 60_000;

/**
 * While the process stands by, notes every minute which cluster the source is and how far its versions have got, so
 * that a replica that takes over after a restore knows that the source went back. Runs until the signal aborts.
 */
export async function followWhileStandingBy(options: {
  readonly client: KubeClient;
  readonly source: KnownSource;
  readonly readUid: () => Promise<string>;
  readonly standsBy: () => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { client, source, readUid, standsBy, clock, signal } = options;
  while (!signal.aborted) {
    await clock.sleep(lookMs, signal);
    if (signal.aborted || !standsBy()) {
      continue;
    }
    try {
      if (source.recognise(await readUid())) {
        for (const { name, resource } of syncedKinds) {
          const version = await presentVersion(client, resource, signal);
          // A term that began meanwhile lists for itself; what is noted now could be ahead of its list.
          if (standsBy()) {
            source.noteVersion(name, version);
          }
        }
      }
    } catch {
      // The Lease needs the same API server, and its candidate reports outages.
    }
  }
}

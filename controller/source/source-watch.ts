import type { Clock, Random } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import { Reflector } from '../../shared/kube/reflector.ts';
import { errorFields } from '../../shared/log/error-fields.ts';
import type { Logger } from '../../shared/logger.ts';
import { syncedKinds } from '../../shared/synced-kind.ts';
import type { SourceIndex } from './source-index.ts';
import type { SourceRecord } from './source-record.ts';

/** Milliseconds between two lists for no reason: a cluster restored to an older state shows it in no watch. */
const relistMs = 30 * 60_000;

/**
 * Mirrors the annotated objects of all namespaces into the index until the signal aborts: metadata only, and whatever
 * has no annotation is dropped as it is parsed.
 */
export async function followSources(options: {
  readonly client: KubeClient;
  readonly index: SourceIndex;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A kind was listed to its end. */
  readonly onListed: () => void;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { client, index, clock, random, onListed, signal } = options;
  const relistRegularly = async (reflector: { relist(): void }): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(relistMs * (0.9 + 0.2 * random()), signal);
      reflector.relist();
    }
  };
  await Promise.all(
    syncedKinds.map(({ name, resource }) => {
      const logger = options.logger.with({ kind: name });
      const reflector = new Reflector<KubeObject, SourceRecord>({
        client,
        resource,
        firstListShape: 'metadata',
        shape: 'metadata',
        clock,
        random,
        logger,
        handler: {
          project: (object) => index.project(name, object),
          replaced: (records, { resourceVersion }) => {
            index.replace(name, records, resourceVersion);
            onListed();
          },
          event: (event) => {
            index.observe(name, event);
          },
          failed: (error, phase) => {
            logger.warn('source cluster cannot be read', { phase, ...errorFields(error) });
          },
        },
      });
      return Promise.all([reflector.run(signal), relistRegularly(reflector)]);
    }),
  );
}

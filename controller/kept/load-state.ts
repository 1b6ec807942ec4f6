import { catalogConfigMapName } from '../../shared/catalog/document.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { configMaps } from '../../shared/kube/resource.ts';
import type { Logger } from '../../shared/logger.ts';
import { type KeptState, stateKey } from './kept-state.ts';

const backoff = { baseMs: 500, maxMs: 10_000 };

/**
 * Loads what earlier processes kept, for as long as it takes: before that, a deletion that an operator has yet to
 * release would go ahead. A text that cannot be read is given up, with a log line. Returns early when the signal aborts.
 */
export async function loadState(
  state: KeptState,
  options: {
    readonly client: KubeClient;
    /** The program's own namespace. */
    readonly namespace: string;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    /** Clusters of which the state knows better. */
    readonly served: (cluster: string) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { client, namespace, clock, random, logger, served, signal } = options;
  const place = { namespace, configMap: catalogConfigMapName };
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const object = await client.get<PayloadObject>(configMaps, namespace, catalogConfigMapName, { signal });
      const text = object.data?.[stateKey];
      if (text !== undefined && !state.take(text, served)) {
        logger.error('kept state is damaged and starts empty, trips of the mass-deletion guard included', {
          ...place,
          key: stateKey,
        });
      }
      return;
    } catch (error) {
      if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {
        return;
      }
      if (!signal.aborted) {
        logger.error('kept state cannot be read, no work begins before that', {
          ...place,
          ...errorFields(error),
        });
      }
    }
    await clock.sleep(backoffMs(failures, backoff, random), signal);
  }
}

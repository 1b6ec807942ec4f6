import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { TransportError } from '../../shared/kube/errors.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import { Reflector } from '../../shared/kube/reflector/reflector.ts';
import type { Logger } from '../../shared/logger.ts';
import { type SyncedKindName, syncedKinds } from '../../shared/synced-kind.ts';
import type { IdentityCheck } from './identity-check.ts';
import { assertReached } from './present-version.ts';
import type { SourceIndex } from './source-index.ts';
import type { SourceRecord } from './source-record.ts';

/** Milliseconds between two lists for no reason: a cluster restored to an older state shows it in no watch. */
const relistMs = 30 * 60_000;
/** Milliseconds between two looks whether the source cluster answers, and how long an answer may take. */
const heartbeatMs = 10_000;
const heartbeatTimeoutMs = 5_000;

export interface SourceWatchOptions {
  readonly client: KubeClient;
  readonly index: SourceIndex;
  readonly identity: Pick<IdentityCheck, 'confirm'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Shown every object as it is listed or changes, annotated or not. */
  readonly onObject: (kind: SyncedKindName, object: KubeObject) => void;
  /** Given a function that has all kinds listed again. */
  readonly offerRelist: (relist: () => void) => void;
  /** A kind was listed to its end. */
  readonly onListed: () => void;
  readonly signal: AbortSignal;
}

/**
 * Mirrors the annotated objects of all namespaces into the index until the signal aborts: metadata only, and whatever
 * has no annotation is dropped as it is parsed.
 */
export async function followSources(options: SourceWatchOptions): Promise<void> {
  const reflectors = syncedKinds.map(({ name, resource }) => {
    const { client, index, clock, random } = options;
    const logger = options.logger.with({ kind: name });
    return new Reflector<KubeObject, SourceRecord>({
      client,
      clock,
      random,
      resource,
      firstListShape: 'metadata',
      shape: 'metadata',
      logger,
      confirm: async (position, signal) => {
        if (position !== undefined) {
          await assertReached(options.client, resource, position, signal);
        }
        await options.identity.confirm();
      },
      handler: {
        project: (object) => {
          options.onObject(name, object);
          return index.project(name, object);
        },
        replaced: (records, { resourceVersion }) => {
          index.replace(name, records, resourceVersion);
          options.onListed();
        },
        event: (event) => {
          index.observe(name, event);
          if (event.type !== 'DELETED') {
            options.onObject(name, event.object);
          }
        },
        failed: (error, phase) => {
          logger.warn('source cluster cannot be read', { phase, ...errorFields(error) });
        },
      },
    });
  });
  options.offerRelist(() => {
    for (const reflector of reflectors) {
      reflector.relist();
    }
  });
  await Promise.all([
    ...reflectors.map((reflector) => reflector.run(options.signal)),
    relistRegularly(reflectors, options),
    relistAfterOutages(reflectors, options),
  ]);
}

type Relistable = Pick<Reflector<KubeObject, SourceRecord>, 'relist' | 'wake'>;

async function relistRegularly(
  reflectors: readonly Relistable[],
  { clock, random, signal }: SourceWatchOptions,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(relistMs * (0.9 + 0.2 * random()), signal);
    for (const reflector of reflectors) {
      reflector.relist();
    }
  }
}

/** A stream that outlived an outage may be dead without a word, and its own deadline is minutes away. */
async function relistAfterOutages(
  reflectors: readonly Relistable[],
  { client, clock, signal }: SourceWatchOptions,
): Promise<void> {
  let silent = false;
  while (!signal.aborted) {
    await clock.sleep(heartbeatMs, signal);
    try {
      await client.ping({ signal, timeoutMs: heartbeatTimeoutMs });
      if (silent) {
        for (const reflector of reflectors) {
          reflector.relist();
          reflector.wake();
        }
      }
      silent = false;
    } catch (error) {
      // Any answer is a sign of life, also a refusal.
      silent = error instanceof TransportError;
    }
  }
}

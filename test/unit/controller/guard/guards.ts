import { DeletionGuards } from '../../../../controller/guard/deletion-guards.ts';
import { KeptState } from '../../../../controller/kept/kept-state.ts';
import type { Clock } from '../../../../shared/clock.ts';
import { type Logger, silentLogger } from '../../../../shared/logger.ts';

/** Guards with a state of their own, or with one that an earlier process kept. */
export function someGuards(
  clock: Clock,
  kept = new KeptState(() => undefined),
  logger: Logger = silentLogger,
): DeletionGuards {
  let calls = 0;
  const random = (): number => {
    calls += 1;
    return ((calls * 7) % 31) / 31;
  };
  return new DeletionGuards({ kept, releaseCommand: (trip) => `release ${trip}`, clock, random, logger });
}

import { expect, it } from 'vitest';
import { type LogFields, silentLogger } from '../../../shared/logger.ts';
import { RefusalLog } from '../../../webhook/refusal-log.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

it('logs a few refusals of a period one by one, and counts the others', async () => {
  const clock = new ManualClock();
  const lines: [string, LogFields | undefined][] = [];
  const logger = {
    ...silentLogger,
    info: (message: string, fields?: LogFields) => void lines.push([message, fields]),
  };
  const log = new RefusalLog({ maxLines: 2, periodMs: 10_000, clock, logger });
  for (let index = 0; index < 1_000; index++) {
    log.refused({ index });
  }
  await clock.advance(10_000);
  expect(lines.splice(0)).toEqual([
    ['object refused', { index: 0 }],
    ['object refused', { index: 1 }],
    ['more objects refused', { count: 998, seconds: 10 }],
  ]);
  log.refused({ index: 1_000 });
  await clock.advance(60_000);
  expect(lines).toEqual([['object refused', { index: 1_000 }]]);
});

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { runWithLeases } from '../../../../controller/lease/lease.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { FakeApi, type FakeFault } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

/** What a candidate's requests meet for a while. */
const weather: fc.Arbitrary<FakeFault> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.record({ delayMs: fc.nat(12_000), answerDelayMs: fc.nat(12_000) }) },
  { weight: 1, arbitrary: fc.constant({ before: new TransportError('ConnectionReset', true, '') }) },
  { weight: 1, arbitrary: fc.constant({ after: new TransportError('ConnectionReset', true, '') }) },
  { weight: 1, arbitrary: fc.constant({ before: new ApiError(500, 'ServerError') }) },
  { weight: 1, arbitrary: fc.constant({ answerDelayMs: 1e9 }) },
);

const candidateCount = 3;

const steps = fc.record({
  ms: fc.nat(12_000),
  candidate: fc.nat(candidateCount - 1),
  weather,
  /** The process is asked to stop, and started again under a new identity. */
  restart: fc.boolean(),
});

it('never has two leaders at a time while clocks run alike, and one in the end', async () => {
  let terms = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { minLength: 5, maxLength: 40 }),
      // A leader may take less than lease duration minus renew deadline to end.
      fc.nat(4_900),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      async (script, drainMs, randoms) => {
        const clock = new ManualClock();
        const server = new FakeApi(clock);
        const leaders = new Set<string>();
        const overlaps: string[] = [];
        let identities = 0;
        const start = (): { api: FakeApi; stop: AbortController; done: Promise<void> } => {
          const api = server.connection();
          const stop = new AbortController();
          identities += 1;
          const identity = `candidate-${identities}`;
          const done = runWithLeases(
            {
              client: api,
              namespace: 'own',
              names: ['controller'],
              keys: { shards: 'test/shards', wantedBy: 'test/wanted-by' },
              identity,
              clock,
              random: () => [...randoms.take(1)][0] ?? 0,
              logger: silentLogger,
            },
            async (_index, signal) => {
              terms += 1;
              leaders.add(identity);
              if (leaders.size > 1) overlaps.push([...leaders].join(' and '));
              await clock.sleep(1e12, signal);
              await clock.sleep(drainMs);
              leaders.delete(identity);
            },
            stop.signal,
          );
          return { api, stop, done };
        };
        const running = Array.from({ length: candidateCount }, start);
        const stopped: Promise<void>[] = [];
        for (const step of script) {
          const candidate = running[step.candidate];
          if (candidate === undefined) continue;
          candidate.api.fault = () => step.weather;
          if (step.restart) {
            candidate.stop.abort();
            stopped.push(candidate.done);
            running[step.candidate] = start();
          }
          await clock.advance(step.ms);
        }
        for (const candidate of running) candidate.api.fault = () => ({});
        await clock.advance(60_000);
        expect(overlaps).toEqual([]);
        expect(leaders.size).toBe(1);
        for (const candidate of running) candidate.stop.abort();
        await clock.advance(30_000);
        await Promise.all([...stopped, ...running.map((candidate) => candidate.done)]);
        expect(leaders.size).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
  // The property would be empty if nobody ever led.
  expect(terms).toBeGreaterThan(150);
}, 60_000);

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Contention } from '../../../../controller/reconcile/contention.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const minutes = 60_000;

describe('contention', () => {
  it('lets four repairs pass at once, then asks for longer and longer pauses up to five minutes', async () => {
    const clock = new ManualClock();
    const contention = new Contention(clock);
    const pauses: number[] = [];
    for (let repair = 0; repair < 12; repair += 1) {
      contention.repaired('a', false);
      pauses.push(contention.pauseMs('a'));
      await clock.advance(contention.pauseMs('a'));
      expect(contention.pauseMs('a')).toBe(0);
    }
    expect(pauses).toEqual([0, 0, 0, 0, 15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
  });

  it('asks for a pause at once where the target changed the repair on its way in', () => {
    const contention = new Contention(new ManualClock());
    contention.repaired('a', true);
    expect([contention.pauseMs('a'), contention.pauseMs('b')]).toEqual([15_000, 0]);
  });

  it('forgets a copy that was quiet for more than ten minutes', async () => {
    const clock = new ManualClock();
    const contention = new Contention(clock);
    for (let repair = 0; repair < 4; repair += 1) {
      contention.repaired('a', false);
    }
    await clock.advance(10 * minutes + 1);
    expect(contention.pauseMs('a')).toBe(0);
    contention.repaired('a', false);
    expect(contention.pauseMs('a')).toBe(0);
  });

  it('counts a copy that somebody deleted as repaired when it is created again', () => {
    const contention = new Contention(new ManualClock());
    expect(contention.isLost('a')).toBe(false);
    contention.lost('a');
    expect(contention.isLost('a')).toBe(true);
    contention.repaired('a', false);
    expect(contention.isLost('a')).toBe(false);
  });

  it('forgets a copy that is gone', () => {
    const contention = new Contention(new ManualClock());
    contention.repaired('a', true);
    contention.forget('a');
    expect(contention.pauseMs('a')).toBe(0);
  });

  it('never pauses longer than five minutes, and never for a negative time', async () => {
    const step = fc.record({ mutated: fc.boolean(), ms: fc.nat(20 * minutes) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (script) => {
        const clock = new ManualClock();
        const contention = new Contention(clock);
        for (const { mutated, ms } of script) {
          contention.repaired('a', mutated);
          await clock.advance(ms);
          const pause = contention.pauseMs('a');
          expect(pause).toBeGreaterThanOrEqual(0);
          expect(pause).toBeLessThanOrEqual(5 * minutes);
        }
      }),
    );
  });
});

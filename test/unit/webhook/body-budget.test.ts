import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { BodyBudget } from '../../../webhook/body-budget.ts';
import { ManualClock, settle } from '../fakes/manual-clock.ts';

const limits = { totalBytes: 100, smallBytes: 10, maxWaitMs: 1_000, maxWaiting: 2 };

function budget(more: Partial<typeof limits> = {}): { clock: ManualClock; budget: BodyBudget } {
  const clock = new ManualClock();
  return { clock, budget: new BodyBudget({ ...limits, ...more, clock }) };
}

it('small bodies never wait', async () => {
  const { budget: some } = budget();
  await some.take(100);
  expect(await some.take(10)).toBeDefined();
});

it('a large one waits for room, and gets it when some is given back', async () => {
  const { budget: some } = budget();
  const giveBack = await some.take(60);
  let second: unknown = 'waits';
  void some.take(60).then((release) => (second = release));
  await settle();
  expect(second).toBe('waits');
  giveBack?.();
  giveBack?.();
  await settle();
  expect(second).toBeTypeOf('function');
  // Given back twice, counted once: only 40 are left.
  let third: unknown = 'waits';
  void some.take(60).then((release) => (third = release));
  await settle();
  expect(third).toBe('waits');
});

it('who waits too long, or finds too many waiting, is turned away', async () => {
  const { budget: some, clock } = budget();
  await some.take(100);
  const waiting = [some.take(50), some.take(50)];
  expect(await some.take(50)).toBeUndefined();
  await clock.advance(1_000);
  expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
});

it('one that is larger than all there is gets all there is', async () => {
  const { budget: some } = budget();
  expect(await some.take(1_000)).toBeTypeOf('function');
});

it('a large one that waits is not overtaken for ever', async () => {
  const { budget: some } = budget();
  const first = await some.take(60);
  const order: string[] = [];
  void some.take(100).then(() => order.push('large'));
  void some.take(20).then(() => order.push('medium'));
  await settle();
  expect(order).toEqual([]);
  first?.();
  await settle();
  expect(order).toEqual(['large']);
});

it('never lets in more than there is, and everybody in the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 11, max: 150 }), { maxLength: 30 }), async (sizes) => {
      const { budget: some } = budget({ maxWaiting: 100 });
      let inside = 0;
      let most = 0;
      const served = sizes.map(async (size) => {
        const giveBack = await some.take(size);
        const share = Math.min(size, limits.totalBytes);
        inside += share;
        most = Math.max(most, inside);
        await settle();
        inside -= share;
        giveBack?.();
        return giveBack !== undefined;
      });
      expect((await Promise.all(served)).every(Boolean)).toBe(true);
      expect(most).toBeLessThanOrEqual(limits.totalBytes);
    }),
  );
});

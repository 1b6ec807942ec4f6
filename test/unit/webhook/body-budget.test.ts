import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { BodyBudget } from '../../../webhook/body-budget.ts';

it('cuts those that began first when there is no room', () => {
  const budget = new BodyBudget(30);
  const cut: number[] = [];
  const shares = [0, 1, 2, 3].map((name) => budget.enter(() => void cut.push(name)));
  for (const share of shares) {
    share.hold(10);
  }
  expect(cut).toEqual([0]);
  shares[2]?.end();
  shares[2]?.end();
  expect(budget.bytesHeld).toBe(20);
  shares[3]?.hold(25);
  expect(cut).toEqual([0, 1]);
  shares[0]?.hold(10);
  expect(budget.bytesHeld).toBe(25);
  shares[3]?.hold(31);
  expect(cut).toEqual([0, 1, 3]);
  expect(budget.bytesHeld).toBe(0);
});

it('never holds more than there is, and forgets nothing', () => {
  const steps = fc.array(fc.tuple(fc.nat(9), fc.nat(60)), { maxLength: 100 });
  fc.assert(
    fc.property(steps, (taken) => {
      const budget = new BodyBudget(100);
      const held = new Map<number, number>();
      const shares = Array.from({ length: 10 }, (_, name) =>
        budget.enter(() => {
          held.delete(name);
          over.add(name);
        }),
      );
      const over = new Set<number>();
      for (const [name, bytes] of taken) {
        if (!over.has(name)) {
          held.set(name, bytes);
        }
        shares[name]?.hold(bytes);
        expect(budget.bytesHeld).toBe([...held.values()].reduce((sum, one) => sum + one, 0));
        expect(budget.bytesHeld).toBeLessThanOrEqual(100);
      }
    }),
  );
});

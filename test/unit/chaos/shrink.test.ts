import { expect, test } from 'vitest';
import type { Step } from '../../chaos/operation.ts';
import { shrink } from '../../chaos/shrink.ts';

const quiet: Step = { operation: { op: 'quiet' }, pauseMs: 0 };
const deletion = (slot: number): Step => ({ operation: { op: 'delete-source', slot }, pauseMs: 0 });
const slotsOf = (script: readonly Step[]): readonly number[] =>
  script.flatMap(({ operation }) => (operation.op === 'delete-source' ? [operation.slot] : []));

test.each([[[3]], [[0, 31]], [[5, 6, 20]], [[0, 1, 2, 3]]])(
  'only what is needed to fail is left: %j',
  async (needed) => {
    const script = Array.from({ length: 32 }, (_, slot) => [
      deletion(slot),
      ...(slot % 8 === 0 ? [quiet] : []),
    ]).flat();
    const fails = (steps: readonly Step[]): Promise<boolean> =>
      Promise.resolve(needed.every((slot) => slotsOf(steps).includes(slot)));
    const shortest = await shrink(script, fails, () => true);
    expect(slotsOf(shortest)).toEqual(needed);
    expect(shortest.filter((step) => step === quiet || step.operation.op === 'quiet')).toHaveLength(1);
    expect(shortest.at(-1)).toEqual(quiet);
  },
);

test('it stops when it may not go on, with what still fails', async () => {
  let calls = 0;
  const fails = (steps: readonly Step[]): Promise<boolean> => {
    calls++;
    return Promise.resolve(slotsOf(steps).includes(1));
  };
  const shortest = await shrink([0, 1, 2, 3].map(deletion), fails, () => calls < 1);
  expect(calls).toBe(1);
  expect(slotsOf(shortest)).toEqual([0, 1]);
});

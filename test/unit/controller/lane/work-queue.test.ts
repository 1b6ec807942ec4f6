// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the case that was generated
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Priority, WorkQueue } from '../../../../controller/lane/work-queue.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const names = fc.constantFrom('a', 'b', 'c');

const steps = fc.oneof(
  fc
    .tuple(names, fc.constantFrom<Priority[]>('live', 'later'))
    .map(([key, priority]) => ({ do: 'add', key, priority }) as const),
  fc
    .tuple(names, fc.integer({ min: 1, max: 500 }))
    .map(([key, ms]) => ({ do: 'addAfter', key, ms }) as const),
  fc.constant({ do: 'take' } as const),
  names.map((key) => ({ do: 'done', key }) as const),
  fc.nat(300).map((ms) => ({ do: 'advance', ms }) as const),
);

describe('the work queue, under any sequence of adds, delays and workers', () => {
  it('hands a key to one worker at a time, and every add is followed by a pass that began after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (script) => {
        const clock = new ManualClock();
        let announced = 0;
        const queue = new WorkQueue(clock, () => {
          announced += 1;
        });
        const working = new Set<string>();
        /** Keys that someone added, and for which no pass began since: when one must be on offer at the latest. */
        const owed = new Map<string, number>();
        const owe = (key: string, at: number): void => {
          owed.set(key, Math.min(at, owed.get(key) ?? Number.POSITIVE_INFINITY));
        };
        const take = (): void => {
          const depth = queue.depth;
          const next = queue.take('live') ?? queue.take('later');
          expect(next === undefined).toBe(depth === 0);
          if (next !== undefined) {
            expect(working.has(next.key)).toBe(false);
            expect(owed.get(next.key)).toBeLessThanOrEqual(clock.monotonic());
            working.add(next.key);
            owed.delete(next.key);
          }
        };
        for (const step of script) {
          if (step.do === 'add') {
            owe(step.key, clock.monotonic());
            queue.add(step.key, step.priority);
          } else if (step.do === 'addAfter') {
            owe(step.key, clock.monotonic() + step.ms);
            queue.addAfter(step.key, step.ms);
          } else if (step.do === 'take') {
            take();
          } else if (step.do === 'done') {
            if (working.delete(step.key)) {
              queue.done(step.key);
            }
          } else {
            await clock.advance(step.ms);
          }
          expect(queue.active).toBe(working.size);
          const due = [...owed].filter(([key, at]) => at <= clock.monotonic() && !working.has(key));
          expect(queue.depth).toBe(due.length);
          if (queue.depth > 0) {
            expect(announced).toBeGreaterThan(0);
          }
        }
        await clock.advance(500);
        for (const key of working) {
          queue.done(key);
        }
        working.clear();
        for (let round = 0; round < 3; round += 1) {
          take();
        }
        expect([...owed.keys()]).toEqual([]);
        expect([queue.depth, queue.delayed]).toEqual([0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the work queue', () => {
  it('says every time that a key can be taken, also after a delay and after a pass', async () => {
    const clock = new ManualClock();
    const taken: string[] = [];
    const queue = new WorkQueue(clock, () => {
      const next = queue.take('live') ?? queue.take('later');
      taken.push(next?.key ?? 'nothing');
    });
    queue.add('a');
    queue.add('a');
    queue.addAfter('b', 100);
    expect(taken).toEqual(['a']);
    queue.done('a');
    expect(taken).toEqual(['a', 'a']);
    await clock.advance(100);
    expect(taken).toEqual(['a', 'a', 'b']);
  });

  it('serves the key that came first, and reports how long it waited', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue(clock, () => undefined);
    queue.add('a');
    await clock.advance(30);
    queue.add('b');
    queue.add('a');
    await clock.advance(10);
    expect(queue.take('live')).toEqual({ key: 'a', waitedMs: 40 });
    expect(queue.take('live')).toEqual({ key: 'b', waitedMs: 10 });
    expect(queue.take('live')).toBeUndefined();
  });

  it('ends a delay when the key is added for now', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue(clock, () => undefined);
    queue.addAfter('a', 100);
    queue.add('a');
    expect([queue.depth, queue.delayed]).toEqual([1, 0]);
    queue.take('live');
    queue.done('a');
    await clock.advance(1_000);
    expect(queue.depth).toBe(0);
  });

  it('takes the earlier of two delays', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue(clock, () => undefined);
    queue.addAfter('a', 15_000);
    queue.addAfter('a', 200);
    queue.addAfter('a', 5_000);
    await clock.advance(200);
    expect([queue.depth, queue.delayed]).toEqual([1, 0]);
  });

  it('counts fruitless passes until one succeeds', () => {
    const queue = new WorkQueue(new ManualClock(), () => undefined);
    queue.failed('a');
    queue.failed('a');
    expect([queue.failures('a'), queue.failures('b')]).toEqual([2, 0]);
    queue.succeeded('a');
    expect(queue.failures('a')).toBe(0);
  });

  it('forgets everything that is not being worked on when it is cleared, timers included', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue(clock, () => undefined);
    queue.add('a');
    queue.take('live');
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    queue.clear();
    expect([queue.depth, queue.delayed, queue.active, clock.waiting]).toEqual([0, 0, 1, 0]);
    queue.done('a');
    await clock.advance(100);
    expect(queue.depth).toBe(0);
  });

  it('hands out live keys first, and puts a key that becomes live among them', () => {
    const queue = new WorkQueue(new ManualClock(), () => undefined);
    queue.add('a', 'later');
    queue.add('b', 'later');
    queue.add('b', 'live');
    queue.add('b', 'later');
    expect([queue.take('live')?.key, queue.take('live')]).toEqual(['b', undefined]);
    expect([queue.take('later')?.key, queue.take('later')]).toEqual(['a', undefined]);
    expect(queue.adds).toBe(2);
  });

  it('walks through a backlog after all else, once more for all calls that come on the way', () => {
    const queue = new WorkQueue(new ManualClock(), () => undefined);
    let walks = 0;
    const everything = function* (): Generator<string> {
      walks += 1;
      yield* ['a', 'b', 'c'];
    };
    queue.addAll(everything);
    expect([queue.hasBacklog, queue.depth]).toEqual([true, 0]);
    expect(queue.take('live')).toBeUndefined();
    expect(queue.take('later')?.key).toBe('a');
    queue.addAll(everything);
    queue.addAll(everything);
    queue.add('x', 'later');
    // It has its turn as live, and again in the next walk.
    queue.add('b');
    const order: string[] = [];
    for (let next = queue.take('later'); next !== undefined; next = queue.take('later')) {
      order.push(next.key);
      queue.done(next.key);
    }
    expect(order).toEqual(['x', 'c', 'c']);
    expect([walks, queue.hasBacklog]).toEqual([2, false]);
    expect(queue.take('live')?.key).toBe('b');
    queue.done('a');
    expect(queue.take('later')?.key).toBe('a');
  });

  it('ends the delay of a key that a backlog hands out', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue(clock, () => undefined);
    queue.addAfter('a', 1_000);
    queue.addAll(() => ['a']);
    expect(queue.take('later')?.key).toBe('a');
    queue.done('a');
    await clock.advance(2_000);
    expect(queue.take('later')).toBeUndefined();
  });
});

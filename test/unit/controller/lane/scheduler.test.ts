import { describe, expect, it } from 'vitest';
import { Baseline, InFlightLimit } from '../../../../controller/lane/in-flight-limit.ts';
import type { PassUnderWay } from '../../../../controller/lane/pass-under-way.ts';
import { type ScheduledLane, Scheduler } from '../../../../controller/lane/scheduler.ts';
import type { Priority } from '../../../../controller/lane/work-queue.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

/** A lane with so much work of each priority, whose passes end when the test says so. */
class TestLane implements ScheduledLane {
  readonly name: string;
  readonly work: Record<Priority, number>;
  readonly underWay: PassUnderWay[] = [];
  readonly #begun: string[];

  constructor(name: string, work: Partial<Record<Priority, number>>, begun: string[]) {
    this.name = name;
    this.work = { live: 0, later: 0, ...work };
    this.#begun = begun;
  }

  begin(priority: Priority, pass: PassUnderWay): boolean {
    if (this.work[priority] === 0) {
      return false;
    }
    this.work[priority] -= 1;
    this.#begun.push(`${this.name} ${priority}`);
    this.underWay.push(pass);
    return true;
  }

  end(): void {
    this.underWay.shift()?.end({ wrote: true });
  }
}

function aScheduler(): { clock: ManualClock; scheduler: Scheduler; begun: string[] } {
  const clock = new ManualClock();
  return { clock, scheduler: new Scheduler(clock), begun: [] };
}

describe('the scheduler', () => {
  it('bounds the passes in flight over all lanes, and gives lanes turns', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const lanes = Array.from({ length: 40 }, (_, index) => new TestLane(`l${index}`, { later: 100 }, begun));
    for (const lane of lanes) {
      scheduler.add(lane);
      scheduler.wake(lane, 'later');
    }
    await clock.advance(10);
    expect(begun).toHaveLength(scheduler.limit);
    const first = lanes.map(({ work }) => work.later);
    for (let round = 0; round < 200; round += 1) {
      lanes.find(({ underWay }) => underWay.length > 0)?.end();
      await clock.advance(1);
      expect(scheduler.inFlight).toBe(scheduler.limit);
    }
    const shares = lanes.map(({ work }, index) => (first[index] ?? 0) - work.later);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2);
  });

  it('begins live work of any lane before all else', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const busy = new TestLane('busy', { later: 1_000 }, begun);
    const other = new TestLane('other', { live: 3, later: 3 }, begun);
    for (const lane of [busy, other]) {
      scheduler.add(lane);
      scheduler.wake(lane, 'later');
    }
    await clock.advance(10);
    begun.length = 0;
    scheduler.wake(other, 'live');
    for (let round = 0; round < 4; round += 1) {
      busy.end();
    }
    await clock.advance(10);
    expect(begun.slice(0, 3)).toEqual(['other live', 'other live', 'other live']);
  });

  it('lets more passes be in flight to distant clusters, though passes wait for a read of their source first', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const lanes = ['a', 'b'].map((name) => new TestLane(name, { later: 10_000 }, begun));
    for (const lane of lanes) {
      scheduler.add(lane);
      scheduler.wake(lane, 'later');
    }
    await clock.advance(10);
    const before = scheduler.limit;
    // The first ones find their sources in memory, and show what distance alone makes.
    for (let round = 0; round < 40; round += 1) {
      const passes = lanes.flatMap(({ underWay }) => underWay.splice(0));
      const read = Promise.withResolvers<void>();
      if (round > 0) {
        for (const pass of passes) {
          void pass.waitForSource(read.promise);
        }
        await clock.advance(50);
        read.resolve();
      }
      await clock.advance(50);
      for (const pass of passes) {
        pass.end({ wrote: true });
      }
      await clock.advance(10);
    }
    expect(scheduler.limit).toBeGreaterThan(2 * before);
  });

  it('yields to the event loop also when passes need no request', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const lane = new TestLane('lane', { later: 100 }, begun);
    scheduler.add(lane);
    const begin = lane.begin.bind(lane);
    let longest = 0;
    let inOneGo = 0;
    lane.begin = (priority, pass): boolean => {
      clock.block(1);
      inOneGo += 1;
      longest = Math.max(longest, inOneGo);
      const begins = begin(priority, pass);
      queueMicrotask(() => {
        lane.end();
      });
      return begins;
    };
    scheduler.wake(lane, 'later');
    while (lane.work.later > 0) {
      inOneGo = 0;
      await clock.advance(1);
    }
    expect(longest).toBeLessThanOrEqual(10);
  });

  it('is not held up by clusters that fall silent with passes under way', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const [silent, other] = ['silent', 'silent'].map((name) => new TestLane(name, { later: 1_000 }, begun));
    const healthy = new TestLane('healthy', { later: 1_000 }, begun);
    for (const lane of [silent, other]) {
      if (lane !== undefined) {
        scheduler.add(lane);
        scheduler.wake(lane, 'later');
      }
    }
    await clock.advance(10);
    expect(scheduler.inFlight).toBe(scheduler.limit);
    scheduler.add(healthy);
    scheduler.wake(healthy, 'later');
    expect(begun).not.toContain('healthy later');
    await clock.advance(3_000);
    expect(begun.filter((line) => line === 'healthy later').length).toBeGreaterThan(10);
    const silentOnes = begun.filter((line) => line === 'silent later').length;
    healthy.end();
    await clock.advance(3_000);
    expect(begun.filter((line) => line === 'silent later')).toHaveLength(silentOnes);
    while (begun.filter((line) => line === 'silent later').length === silentOnes) {
      silent?.end();
      await clock.advance(1);
    }
    await clock.advance(10);
    expect(begun.filter((line) => line === 'silent later').length).toBeGreaterThan(silentOnes);
  });

  it('lets a lane with overdue passes begin as many more as a lane has at least, and no others', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const lane = new TestLane('lane', { later: 1_000 }, begun);
    scheduler.add(lane);
    scheduler.wake(lane, 'later');
    await clock.advance(1_000);
    expect(begun).toHaveLength(32);
    lane.work.live = 1;
    scheduler.wake(lane, 'live');
    await clock.advance(2_000);
    expect([begun[32], begun.length, scheduler.inFlight]).toEqual(['lane live', 64, 0]);
    await clock.advance(60_000);
    expect(begun).toHaveLength(64);
  });

  it('counts passes that wait for the source cluster, and blames their lane for none of that time', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const lanes = Array.from({ length: 40 }, (_, index) => new TestLane(`l${index}`, { later: 100 }, begun));
    const answered = Promise.withResolvers<string>();
    for (const lane of lanes) {
      const begin = lane.begin.bind(lane);
      lane.begin = (priority, pass): boolean => {
        void pass.waitForSource(answered.promise);
        return begin(priority, pass);
      };
      scheduler.add(lane);
      scheduler.wake(lane, 'later');
    }
    await clock.advance(60_000);
    expect([begun.length, scheduler.inFlight]).toEqual([64, 64]);
    answered.resolve('answer');
    await clock.advance(1_000);
    expect([begun.length, scheduler.inFlight]).toEqual([64, 64]);
    await clock.advance(2_000);
    expect(begun.length).toBeGreaterThan(64);
  });

  it('begins nothing while it is paused; a shorter pause does not end a longer one', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const lane = new TestLane('lane', { live: 5 }, begun);
    scheduler.add(lane);
    scheduler.pause(1_000);
    scheduler.pause(100);
    scheduler.wake(lane, 'live');
    await clock.advance(999);
    expect(begun).toEqual([]);
    await clock.advance(1);
    expect(begun).toHaveLength(5);
  });

  it('no longer counts the passes of a lane that is gone', async () => {
    const { clock, scheduler, begun } = aScheduler();
    const lane = new TestLane('lane', { live: 5 }, begun);
    scheduler.add(lane);
    scheduler.wake(lane, 'live');
    await clock.advance(10);
    scheduler.remove(lane);
    expect(scheduler.inFlight).toBe(0);
    lane.end();
    expect(scheduler.inFlight).toBe(0);
  });
});

describe('the limit of passes in flight', () => {
  it('grows with distance, when writes take about as long as distance alone makes them', () => {
    const limit = new InFlightLimit();
    for (let sample = 0; sample < 2_000; sample += 1) {
      limit.sample(55, 50, true);
    }
    expect(limit.value).toBe(512);
  });

  it('stays low for a near server, and returns there when writes queue', () => {
    const limit = new InFlightLimit();
    for (let sample = 0; sample < 2_000; sample += 1) {
      limit.sample(30, 2, true);
    }
    expect(limit.value).toBe(64);
    for (let sample = 0; sample < 2_000; sample += 1) {
      limit.sample(55, 50, true);
    }
    for (let sample = 0; sample < 2_000; sample += 1) {
      limit.sample(200, 50, true);
    }
    expect(limit.value).toBe(64);
  });

  it('does not grow while it is not reached', () => {
    const limit = new InFlightLimit();
    for (let sample = 0; sample < 2_000; sample += 1) {
      limit.sample(50, 50, false);
    }
    expect(limit.value).toBe(64);
  });

  it('forgets the shortest time of a cluster after a while: a route can become longer', () => {
    const baseline = new Baseline();
    expect(baseline.take(10, 0)).toBe(10);
    expect(baseline.take(50, 1_000)).toBe(10);
    expect(baseline.take(60, 31_000)).toBe(10);
    expect(baseline.take(70, 62_000)).toBe(60);
    expect(baseline.take(80, 93_000)).toBe(70);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { Wakeup } from '../../../shared/wakeup.ts';
import { ManualClock, settle } from '../fakes/manual-clock.ts';

let clock: ManualClock;
let wakeup: Wakeup;
let ended: boolean;
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  wakeup = new Wakeup(clock);
  ended = false;
  stop = new AbortController();
});

async function sleep(ms: number): Promise<void> {
  await wakeup.sleep(ms, stop.signal);
  ended = true;
}

async function fallAsleep(ms: number): Promise<void> {
  ended = false;
  void sleep(ms);
  await settle();
}

describe('a sleep', () => {
  it('lasts as long as asked when nobody wakes it', async () => {
    await fallAsleep(100);
    await clock.advance(99);
    expect(ended).toBe(false);
    await clock.advance(1);
    expect(ended).toBe(true);
  });

  it('ends at a wake, and the next one is a whole sleep again', async () => {
    await fallAsleep(100);
    wakeup.wake();
    await settle();
    expect([ended, clock.waiting]).toEqual([true, 0]);
    await fallAsleep(100);
    await clock.advance(99);
    expect(ended).toBe(false);
  });

  it('does not begin where somebody woke before it, however often', async () => {
    wakeup.wake();
    wakeup.wake();
    await fallAsleep(100);
    expect(ended).toBe(true);
    await fallAsleep(100);
    expect(ended).toBe(false);
  });

  it('ends when its signal aborts, and does not begin after that', async () => {
    await fallAsleep(100);
    stop.abort();
    await settle();
    expect([ended, clock.waiting]).toEqual([true, 0]);
    await fallAsleep(100);
    expect(ended).toBe(true);
  });
});

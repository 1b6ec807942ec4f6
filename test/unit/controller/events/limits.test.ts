import { expect, it } from 'vitest';
import { RecentMap } from '../../../../controller/events/recent.ts';
import { TokenBucket } from '../../../../shared/token-bucket.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

it('a bucket never holds more than its burst, however long it rests', async () => {
  const clock = new ManualClock();
  const bucket = new TokenBucket(3, 100, clock);
  await clock.advance(3_600_000);
  expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, true, false]);
  expect(bucket.wait()).toBe(100);
  await clock.advance(60);
  expect([bucket.take(), bucket.wait()]).toEqual([false, 40]);
  await clock.advance(40);
  expect([bucket.take(), bucket.take()]).toEqual([true, false]);
});

it('a map of recent things forgets what was neither read nor written for longest', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.get('a');
  map.set('c', 3);
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([1, undefined, 3, 2]);
});

import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DeletionGuard } from '../../../../controller/guard/deletion-guard.ts';
import { KeptState } from '../../../../controller/kept/kept-state.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { someGuards } from './guards.ts';

const hourMs = 60 * 60_000;

let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
});

function aGuard(): DeletionGuard {
  return someGuards(clock).open('cluster-1');
}

/** How many further objects may be deleted before the first is held back. */
function allowedOf(guard: DeletionGuard, prefix: string): number {
  let allowed = 0;
  while (guard.obstacle(`ConfigMap/${prefix}/${allowed}`, true) === undefined) {
    allowed += 1;
  }
  return allowed;
}

describe('the mass-deletion guard of a cluster', () => {
  it('allows half of the copies in a round, or 500 where that is more, and then none', () => {
    fc.assert(
      fc.property(fc.nat(3_000), (copies) => {
        const guard = aGuard();
        guard.begin(copies);
        expect(guard.tripped).toBe(false);
        expect(allowedOf(guard, 'a')).toBe(Math.max(500, Math.floor(copies / 2)));
        expect([guard.tripped, guard.held]).toEqual([true, 1]);
      }),
      { numRuns: 20 },
    );
  });

  it('counts afresh after an hour, and stays tripped once it is', async () => {
    const guard = aGuard();
    for (let round = 0; round < 3; round += 1) {
      guard.begin(10);
      for (let index = 0; index < 400; index += 1) {
        expect(guard.obstacle(`ConfigMap/${round}/${index}`, true)).toBeUndefined();
      }
      await clock.advance(hourMs);
    }
    allowedOf(guard, 'more');
    await clock.advance(9 * hourMs);
    guard.begin(10_000);
    expect(guard.obstacle('ConfigMap/demo/late', true)).toBeDefined();
  });

  it('is not renewed by a cluster that comes and goes within the hour, but grows with what is found there', async () => {
    const guard = aGuard();
    guard.begin(0);
    for (let index = 0; index < 400; index += 1) {
      guard.obstacle(`ConfigMap/first/${index}`, true);
    }
    await clock.advance(hourMs - 1);
    guard.begin(2_000);
    expect(allowedOf(guard, 'second')).toBe(600);
  });

  it('counts one object once, and none whose deletion did not happen', () => {
    const guard = aGuard();
    for (let attempt = 0; attempt < 2_000; attempt += 1) {
      expect(guard.obstacle('ConfigMap/demo/again', true)).toBeUndefined();
    }
    guard.giveBack('ConfigMap/demo/again');
    expect(allowedOf(guard, 'a')).toBe(500);
  });

  it('has an allowance of its own for copies that somebody can have forged, and stops these alone', () => {
    const guard = aGuard();
    guard.begin(3_000);
    for (let index = 0; index < 500; index += 1) {
      expect(guard.obstacle(`ConfigMap/forged/${index}`, false)).toBeUndefined();
    }
    expect(guard.obstacle('ConfigMap/forged/more', false)).toMatchObject({ reason: 'TooManyUnsealed' });
    expect([guard.tripped, guard.held]).toEqual([true, 1]);
    expect(allowedOf(guard, 'a')).toBe(1_500);
    expect(guard.obstacle('ConfigMap/a/more', true)).toMatchObject({ reason: 'TooManyDeletions' });
  });

  it('shows what it holds back, until that is settled otherwise', () => {
    const guard = aGuard();
    allowedOf(guard, 'a');
    guard.obstacle('ConfigMap/demo/wanted-again', true);
    guard.obstacle('ConfigMap/demo/wanted-again', true);
    expect(guard.held).toBe(2);
    guard.settle('ConfigMap/demo/wanted-again');
    expect(guard.held).toBe(1);
  });
});

describe('a trip', () => {
  it('is released by its own name only, and then what it held back may go and nothing more than usual', () => {
    const guards = someGuards(clock);
    const [first, second] = [guards.open('cluster-1'), guards.open('cluster-2')];
    allowedOf(first, 'a');
    allowedOf(second, 'b');
    first.obstacle('ConfigMap/demo/held', true);
    const trip = first.obstacle('ConfigMap/demo/held', true)?.name ?? '';
    expect(guards.release(['another', '']).size).toBe(0);
    expect([first.tripped, second.tripped]).toEqual([true, true]);

    expect(guards.release([trip]).get('cluster-1')).toContain('ConfigMap/demo/held');
    expect([first.tripped, second.tripped, first.held]).toEqual([false, true, 0]);
    expect(first.obstacle('ConfigMap/demo/held', true)).toBeUndefined();
    first.begin(0);
    expect(allowedOf(first, 'c')).toBe(500);
    expect(first.obstacle('ConfigMap/demo/new', true)?.name).not.toBe(trip);
  });

  it('about copies without a seal does not outweigh the release of another one', () => {
    const guards = someGuards(clock);
    const guard = guards.open('cluster-1');
    guard.begin(10);
    const { name } = guards.stop('cluster-1', 'TooManyUnsealed');
    const { name: real } = guards.stop('cluster-1', 'SourceRestored');
    guard.obstacle('ConfigMap/demo/real', true);
    guard.obstacle('ConfigMap/demo/forged', false);
    expect(guards.release([real])).toEqual(new Map([['cluster-1', ['ConfigMap/demo/real']]]));
    expect(guard.obstacle('ConfigMap/demo/real', true)).toBeUndefined();
    expect(guard.obstacle('ConfigMap/demo/forged', false)).toMatchObject({ name });
    expect(guards.release([name])).toEqual(new Map([['cluster-1', ['ConfigMap/demo/forged']]]));
  });

  it('of all clusters holds back the first deletion of each, also of those that appear later', () => {
    const guards = someGuards(clock);
    const trip = guards.stop(undefined, 'SourceRestored');
    expect(guards.stop(undefined, 'SourceRestored')).toEqual(trip);
    expect(guards.open('cluster-9').obstacle('ConfigMap/demo/a', true)).toEqual(trip);
    expect(guards.release([trip.name])).toEqual(new Map([['cluster-9', ['ConfigMap/demo/a']]]));
  });

  it('of one cluster outlasts the release of one of all clusters', () => {
    const guards = someGuards(clock);
    const own = guards.stop('cluster-1', 'TooManyDeletions');
    const all = guards.stop(undefined, 'SourceRestored');
    expect(all.name).not.toBe(own.name);
    guards.release([all.name]);
    expect([guards.open('cluster-1').tripped, guards.open('cluster-2').tripped]).toEqual([true, false]);
  });

  it('of another process holds back deletions here, too, and is logged once with the command that releases it', () => {
    const kept = new KeptState(() => undefined);
    const logged: unknown[] = [];
    const guards = someGuards(clock, kept, {
      ...silentLogger,
      error: (_message, fields) => logged.push(fields?.['release']),
    });
    const trip = someGuards(clock).stop(undefined, 'SourceRestored');
    for (let time = 0; time < 2; time += 1) {
      kept.take(JSON.stringify({ trips: [trip], namespaces: {} }), () => true);
      guards.logTrips();
    }
    expect(guards.open('cluster-1').obstacle('ConfigMap/demo/a')).toEqual(trip);
    expect(logged).toEqual([`release ${trip.name}`]);
  });

  it('outlives the process, and its release does, too', () => {
    const kept = new KeptState(() => undefined);
    const trip = someGuards(clock, kept).stop('cluster-1', 'TooManyDeletions');
    const later = new KeptState(() => undefined);
    expect(later.take(kept.format() ?? '', () => false)).toBe(true);
    const guards = someGuards(clock, later);
    expect(guards.open('cluster-1').obstacle('ConfigMap/demo/a', true)).toEqual(trip);
    guards.release([trip.name]);
    expect(later.take(kept.format() ?? '', () => false)).toBe(true);
    expect(later.trips).toEqual([]);
  });
});

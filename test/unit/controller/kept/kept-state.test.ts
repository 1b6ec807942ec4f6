import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeptState } from '../../../../controller/kept/kept-state.ts';

const names = fc.stringMatching(/^[a-z]{1,3}$/);
const facts = fc.record({
  trips: fc.array(
    fc.record(
      {
        name: names,
        cluster: names,
        reason: fc.constantFrom('TooManyDeletions' as const, 'SourceRestored' as const),
        since: fc.constant('2026-01-01T00:00:00.000Z'),
      },
      { requiredKeys: ['name', 'reason', 'since'], noNullPrototype: true },
    ),
    { maxLength: 4 },
  ),
  namespaces: fc.array(fc.tuple(names, fc.constantFrom('ConfigMap' as const, 'Secret' as const), names), {
    maxLength: 8,
  }),
});

function stateOf({ trips, namespaces }: typeof facts extends fc.Arbitrary<infer T> ? T : never): KeptState {
  const state = new KeptState(() => undefined);
  for (const trip of trips) {
    state.addTrip(trip);
  }
  for (const [cluster, kind, namespace] of namespaces) {
    state.namespacesIn(cluster).remember(kind, namespace);
  }
  return state;
}

describe('the kept state', () => {
  it('is read back as it was written, and equal states are equal texts', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const text = stateOf(given).format();
        const again = new KeptState(() => undefined);
        expect(text === undefined || again.load(text)).toBe(true);
        expect(again.format()).toBe(text);
        expect(stateOf({ ...given, namespaces: given.namespaces.toReversed() }).format()).toBe(text);
      }),
    );
  });

  it('is gone when everything in it is', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const state = stateOf(given);
        for (const { name } of given.trips) {
          state.removeTrip(name);
        }
        for (const [cluster, kind, namespace] of given.namespaces) {
          state.namespacesIn(cluster).forget(kind, namespace);
        }
        expect(state.format()).toBeUndefined();
      }),
    );
  });

  it('takes what it understands of any text, and never fails', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const state = new KeptState(() => undefined);
        state.load(text);
        state.format();
      }),
    );
    const state = new KeptState(() => undefined);
    expect(state.load('{"trips":[{"name":7}],"namespaces":{"c":{"Secret":["a",1]},"d":4}}')).toBe(true);
    expect([state.trips, state.namespacesIn('c').of('Secret')]).toEqual([[], new Set(['a'])]);
  });

  it('holds a bounded number of namespaces and trips', () => {
    const state = new KeptState(() => undefined);
    for (let index = 0; index < 6_000; index += 1) {
      state.namespacesIn('c').remember('Secret', `n-${index}`);
      if (index < 1_200) {
        state.addTrip({ name: `t-${index}`, reason: 'SourceRestored', since: '' });
      }
    }
    expect([state.trips.length, state.namespacesIn('c').of('Secret').size]).toEqual([1_000, 5_000]);
  });
});

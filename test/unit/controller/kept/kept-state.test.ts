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
  it('holds what was learnt of clusters', () => {
    const [state, again] = [new KeptState(() => undefined), new KeptState(() => undefined)];
    state.learntClusters.learn('uid-of-namespace', 'uid-of-cluster');
    again.take(state.format() ?? '', () => true);
    expect(again.learntClusters.clusterOf('uid-of-namespace')).toBe('uid-of-cluster');
    expect(again.format()).toBe(state.format());
  });

  it('is read back as it was written, and equal states are equal texts', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const text = stateOf(given).format();
        const again = new KeptState(() => undefined);
        expect(text === undefined || again.take(text, () => false)).toBe(true);
        expect(again.format()).toBe(text);
        expect(stateOf({ ...given, namespaces: given.namespaces.toReversed() }).format()).toBe(text);
      }),
    );
  });

  it('is gone when everything in it is, but for the names of released trips', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const state = stateOf(given);
        for (const { name } of given.trips) {
          state.removeTrip(name);
        }
        for (const [cluster, kind, namespace] of given.namespaces) {
          state.namespacesIn(cluster).forget(kind, namespace);
        }
        const released = Object.fromEntries(given.trips.map(({ name, since }) => [name, since]));
        const left = given.trips.length > 0 ? { trips: [], released, namespaces: {} } : undefined;
        expect(JSON.parse(state.format() ?? 'null')).toEqual(left ?? null);
      }),
    );
  });

  it('takes what it understands of any text, and never fails', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const state = new KeptState(() => undefined);
        state.take(text, () => false);
        state.format();
      }),
    );
    const state = new KeptState(() => undefined);
    expect(
      state.take('{"trips":[{"name":7}],"namespaces":{"c":{"Secret":["a",1]},"d":4}}', () => false),
    ).toBe(true);
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
    for (let index = 0; index < 1_200; index += 1) {
      state.addTrip({ name: `r-${index}`, reason: 'SourceRestored', since: String(index).padStart(4, '0') });
      state.removeTrip(`r-${index}`);
    }
    expect([
      state.released.length,
      state.released.includes('r-199'),
      state.released.includes('r-200'),
    ]).toEqual([1_000, false, true]);
  });
});

/** The state of one process of several: it serves the clusters that this says. */
class Process {
  readonly state = new KeptState(() => undefined);
  readonly serves: (cluster: string) => boolean;

  constructor(serves: (cluster: string) => boolean) {
    this.serves = serves;
  }

  see(text: string | undefined, released?: string): void {
    this.state.take(text ?? '{}', this.serves, released);
  }

  /** Ends what was released elsewhere. */
  release(): void {
    for (const name of this.state.released) {
      this.state.removeTrip(name);
    }
  }
}

const trip = (name: string, cluster?: string) => ({
  name,
  reason: 'SourceRestored' as const,
  since: '2026-01-01T00:00:00.000Z',
  ...(cluster === undefined ? {} : { cluster }),
});

describe('several processes', () => {
  it('come to the same state by writing what each of them knows, and then rest', () => {
    const change = fc.record({
      who: fc.nat(2),
      what: fc.constantFrom('remember', 'forget', 'write', 'trip', 'release'),
      cluster: fc.nat(5),
      namespace: names,
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        // Cluster 0 and 3 are served by process 0, and so on.
        const processes = [0, 1, 2].map((who) => new Process((cluster) => Number(cluster) % 3 === who));
        let text: string | undefined;
        const released = new Set<string>();
        const write = (who: number): void => {
          processes[who]?.see(text);
          text = processes[who]?.state.format();
        };
        for (const { who, what, cluster, namespace } of changes) {
          const own = String(cluster - (cluster % 3) + who);
          const { state } = processes[who] ?? new Process(() => true);
          if (what === 'write') {
            write(who);
          } else if (what === 'trip') {
            const name = `${namespace}-${who}`;
            if (!released.has(name)) {
              state.addTrip(trip(name, own));
            }
          } else if (what === 'release') {
            for (const { name } of state.trips) {
              released.add(name);
              state.removeTrip(name);
            }
          } else {
            state.namespacesIn(own)[what]('Secret', namespace);
          }
        }
        const expected = processes.map(({ state, serves }) =>
          Array.from({ length: 6 }, (_, cluster) => String(cluster))
            .filter(serves)
            .map((cluster) => [...state.namespacesIn(cluster).of('Secret')].toSorted()),
        );
        for (const who of [0, 1, 2, 0, 1, 2]) {
          write(who);
          processes[who]?.release();
        }
        for (const who of [0, 1, 2]) {
          write(who);
        }
        for (const { state, serves } of processes) {
          expect(state.format()).toBe(text);
          expect(state.trips.filter(({ name }) => released.has(name))).toEqual([]);
          expect(
            Array.from({ length: 6 }, (_, cluster) => String(cluster))
              .filter(serves)
              .map((cluster) => [...state.namespacesIn(cluster).of('Secret')].toSorted()),
          ).toEqual(expected[processes.findIndex((one) => one.state === state)]);
        }
      }),
    );
  });

  it('name one trip, that which is written first, where they trip for the same reason at once', () => {
    const [first, second] = [new Process(() => false), new Process(() => false)];
    first.state.addTrip(trip('first'));
    second.state.addTrip(trip('second'));
    second.state.addTrip(trip('of-one-cluster', 'c'));
    second.see(first.state.format());
    expect(second.state.trips.map(({ name }) => name).toSorted()).toEqual(['first', 'of-one-cluster']);
  });

  it('keep a trip beside one that is written for the same cluster and another reason', () => {
    const process = new Process(() => false);
    process.state.addTrip(trip('restored', 'c'));
    const unsealed = { ...trip('unsealed', 'c'), reason: 'TooManyUnsealed' };
    process.see(JSON.stringify({ trips: [unsealed], namespaces: {} }));
    expect(process.state.trips.map(({ name }) => name).toSorted()).toEqual(['restored', 'unsealed']);
  });

  it('keep a trip until its name is released, whatever somebody writes', () => {
    const process = new Process(() => false);
    process.state.addTrip(trip('k3f9x2'));
    const text = process.state.format();
    process.see(undefined);
    process.see('{"trips":[]}');
    expect(process.state.trips).toHaveLength(1);
    process.state.removeTrip('k3f9x2');
    process.see(text, 'k3f9x2');
    expect(process.state.trips).toEqual([]);
  });

  it('do not take a trip that was released for one that stops the same as a new one', () => {
    const process = new Process(() => false);
    process.state.addTrip(trip('old', 'c'));
    const text = process.state.format();
    process.state.removeTrip('old');
    process.state.addTrip(trip('new', 'c'));
    process.see(text, 'old');
    expect(process.state.trips.map(({ name }) => name)).toEqual(['new']);
  });

  it('do not bring back a trip that was released before they wrote theirs, nor by what they write later', () => {
    const [first, late, started] = [0, 1, 2].map(() => new Process(() => false));
    first?.state.addTrip(trip('k3f9x2', 'c'));
    const text = first?.state.format();
    late?.see(text);
    // The first one writes the release, and the late one sees neither it nor the annotation, but writes.
    first?.state.removeTrip('k3f9x2');
    first?.see(late?.state.format());
    expect(first?.state.trips).toEqual([]);
    // Another name stands in the annotation by now.
    late?.see(first?.state.format(), 'another');
    late?.release();
    started?.see(late?.state.format());
    expect([late?.state.trips, started?.state.trips]).toEqual([[], []]);
  });

  it('remember a release that one of them alone saw, of a trip of another one', () => {
    const [first, second] = [new Process(() => false), new Process(() => false)];
    first.state.addTrip(trip('k3f9x2'));
    const text = first.state.format();
    second.see(text, 'k3f9x2');
    second.see(text);
    expect([second.state.trips, second.state.released]).toEqual([[], ['k3f9x2']]);
  });
});

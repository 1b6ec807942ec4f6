import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fairShareStep, type SharedLease, type ShareStep } from '../../../../controller/lease/fair-share.ts';

const held = (holder: string | undefined, wantedBy?: string): SharedLease => ({ holder, wantedBy });
const nothing: ShareStep = { take: [], takeAtMost: 0, ask: [] };

describe('a candidate', () => {
  it('that holds nothing takes one Lease, though more are free', () => {
    expect(fairShareStep([held(undefined), held(undefined), held('b')], 'a')).toEqual({
      take: [0, 1],
      takeAtMost: 1,
      ask: [],
    });
  });

  it('that holds some takes free ones up to its share, rounded up', () => {
    expect(fairShareStep([held('a'), held('b'), held(undefined), held(undefined)], 'a').takeAtMost).toBe(1);
    expect(fairShareStep([held('a'), held(undefined), held(undefined)], 'a').takeAtMost).toBe(2);
    expect(fairShareStep([held('a'), held('a'), held('b'), held(undefined)], 'a').takeAtMost).toBe(0);
  });

  it('asks the one that has most, for as many as make their shares equal', () => {
    expect(
      fairShareStep(
        ['b', 'b', 'b', 'b'].map((holder) => held(holder)),
        'a',
      ).ask,
    ).toEqual([0, 1]);
    expect(
      fairShareStep(
        ['c', 'b', 'b', 'b'].map((holder) => held(holder)),
        'a',
      ).ask,
    ).toEqual([1]);
  });

  it('asks for nothing while something is free, or is asked for by others already', () => {
    expect(fairShareStep([held('b'), held('b'), held(undefined)], 'a').ask).toEqual([]);
    expect(fairShareStep([held('b', 'c'), held('b')], 'a')).toEqual(nothing);
  });

  it('leaves the only Lease to its holder', () => {
    expect(fairShareStep([held('b')], 'a')).toEqual(nothing);
    expect(fairShareStep([held('a')], 'a')).toEqual(nothing);
  });

  it('changes nothing where shares differ by one at most', () => {
    const shares = fc.record({
      count: fc.integer({ min: 1, max: 32 }),
      candidates: fc.integer({ min: 1, max: 32 }),
      me: fc.nat(31),
    });
    fc.assert(
      fc.property(shares, ({ count, candidates, me }) => {
        const leases = Array.from({ length: count }, (_, index) => held(`c${index % candidates}`));
        expect(fairShareStep(leases, `c${me % candidates}`)).toEqual(nothing);
      }),
    );
  });
});

/** Candidates that share out Leases by the steps, each seeing what there was when it looked, and writing only what is still so. */
class World {
  readonly leases: { holder: string | undefined; wantedBy: string | undefined; version: number }[];
  readonly alive = new Set<string>();
  readonly #looks = new Map<string, readonly (SharedLease & { readonly version: number })[]>();

  constructor(count: number) {
    this.leases = Array.from({ length: count }, () => ({
      holder: undefined,
      wantedBy: undefined,
      version: 0,
    }));
  }

  /** Others see it as free once its holder is known to be gone. */
  look(me: string): void {
    this.#looks.set(
      me,
      this.leases.map(({ holder, wantedBy, version }) => ({
        holder: holder !== undefined && this.alive.has(holder) ? holder : undefined,
        wantedBy,
        version,
      })),
    );
  }

  act(me: string): boolean {
    const seen = this.#looks.get(me);
    this.#looks.delete(me);
    if (seen === undefined || !this.alive.has(me)) {
      return false;
    }
    const { take, takeAtMost, ask } = fairShareStep(seen, me);
    let taken = 0;
    for (const index of take) {
      if (
        taken < takeAtMost &&
        this.#write(index, seen[index]?.version, { holder: me, wantedBy: undefined })
      ) {
        taken += 1;
      }
    }
    for (const index of ask) {
      this.#write(index, seen[index]?.version, { wantedBy: me });
    }
    return taken > 0 || ask.length > 0;
  }

  /** The holder renews what it holds, and passes on what it was asked for. */
  renew(me: string): boolean {
    const asked = this.leases.flatMap((lease, index) =>
      lease.holder === me && lease.wantedBy !== undefined ? [[index, lease] as const] : [],
    );
    for (const [index, { version, wantedBy }] of asked) {
      this.#write(index, version, { holder: wantedBy, wantedBy: undefined });
    }
    return asked.length > 0;
  }

  counts(): readonly number[] {
    return [...this.alive].map((one) => this.leases.filter(({ holder }) => holder === one).length);
  }

  #write(index: number, version: number | undefined, change: Partial<SharedLease>): boolean {
    const lease = this.leases[index];
    if (lease === undefined || lease.version !== version) {
      return false;
    }
    this.leases[index] = { ...lease, ...change, version: lease.version + 1 };
    return true;
  }
}

const candidate = fc.nat(5).map((index) => `c${index}`);
const move = fc.record({
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('look' as const, 'act' as const, 'renew' as const) },
    { weight: 1, arbitrary: fc.constantFrom('join' as const, 'die' as const) },
  ),
  who: candidate,
});

describe('candidates', () => {
  it('come to shares that differ by one at most, however they come, go and overtake each other, and then rest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.array(move, { maxLength: 120 }), (count, moves) => {
        const world = new World(count);
        let generation = 0;
        const identities = new Map<string, string>();
        for (const { what, who } of moves) {
          const me = identities.get(who) ?? '';
          if (what === 'join' && !world.alive.has(me)) {
            // A process that comes back has another name.
            generation += 1;
            identities.set(who, `${who}-${generation}`);
            world.alive.add(`${who}-${generation}`);
          } else if (what === 'die') {
            world.alive.delete(me);
          } else if (what !== 'join' && world.alive.has(me)) {
            world[what](me);
          }
        }
        world.alive.add('last');
        let rounds = 0;
        for (let changed = true; changed; rounds += 1) {
          expect(rounds).toBeLessThan(30);
          changed = false;
          for (const me of world.alive) {
            world.look(me);
          }
          for (const me of world.alive) {
            changed = world.act(me) || changed;
          }
          for (const me of world.alive) {
            changed = world.renew(me) || changed;
          }
        }
        expect(world.leases.every(({ holder }) => holder !== undefined && world.alive.has(holder))).toBe(
          true,
        );
        const counts = world.counts();
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });

  it('that start together hold equal shares without passing one on', () => {
    const world = new World(12);
    for (const me of ['a', 'b', 'c']) {
      world.alive.add(me);
    }
    for (let round = 0; round < 3; round += 1) {
      for (const me of world.alive) {
        world.look(me);
      }
      for (const me of world.alive) {
        world.act(me);
      }
      expect(world.leases.every(({ wantedBy }) => wantedBy === undefined)).toBe(true);
    }
    expect(world.counts()).toEqual([4, 4, 4]);
  });
});

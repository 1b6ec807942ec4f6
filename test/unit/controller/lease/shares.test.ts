import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runWithLeases } from '../../../../controller/lease/lease.ts';
import type { Lease } from '../../../../controller/lease/record.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { leases } from '../../../../shared/kube/resource.ts';
import { type Logger, silentLogger } from '../../../../shared/logger.ts';
import { FakeApi, type FakeFault } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const keys = { shards: 'test/shards', wantedBy: 'test/wanted-by' };

function leaseNames(shards: number): [string, ...string[]] {
  return ['controller', ...Array.from({ length: shards - 1 }, (_, index) => `controller-${index + 1}`)];
}

/** A process that competes for shards. Its leaders work until told to stop, then take `drainMs`. */
class Replica {
  readonly api: FakeApi;
  readonly warnings: string[] = [];
  readonly held = new Set<number>();
  readonly #world: World;
  readonly #stop = new AbortController();
  readonly done: Promise<void>;
  /** Shards that were begun, also those that have ended. */
  begun = 0;

  constructor(world: World, identity: string, shards: number, random: () => number) {
    this.api = world.server.connection();
    this.#world = world;
    const logger: Logger = {
      ...silentLogger,
      warn: (message) => this.warnings.push(message),
      with: () => logger,
    };
    this.done = runWithLeases(
      {
        client: this.api,
        namespace: 'own',
        names: leaseNames(shards),
        keys,
        identity,
        clock: world.clock,
        random,
        logger,
      },
      async (index, signal) => {
        this.begun += 1;
        this.held.add(index);
        await world.clock.sleep(1e12, signal);
        await world.clock.sleep(world.drainMs);
        this.held.delete(index);
      },
      this.#stop.signal,
    );
  }

  /** Ends in good order. */
  stop(): void {
    this.#stop.abort();
  }

  /** Nothing that it sends arrives any more: for the others it is dead. */
  cutOff(): void {
    this.api.fault = () => ({ before: new TransportError('ConnectionReset', true, '') });
  }

  get size(): number {
    return this.held.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api.fault = () => undefined;
    this.stop();
    await this.#world.clock.advance(60_000);
    await this.done;
  }
}

class World {
  readonly clock = new ManualClock();
  readonly server = new FakeApi(this.clock);
  readonly replicas: Replica[] = [];
  drainMs = 0;

  start(shards: number, random: () => number = () => 0.5): Replica {
    const replica = new Replica(this, `replica-${this.replicas.length + 1}`, shards, random);
    this.replicas.push(replica);
    return replica;
  }

  sizes(): number[] {
    return this.replicas.map(({ size }) => size);
  }

  leases(): Lease[] {
    return this.server.objects<Lease>(leases);
  }
}

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(async () => {
  for (const replica of world.replicas) {
    await replica[Symbol.asyncDispose]();
  }
});

describe('replicas', () => {
  it('that start together share the Leases out, and none is passed on', async () => {
    for (let index = 0; index < 3; index += 1) {
      world.start(8);
    }
    await world.clock.advance(5_000);
    expect(world.sizes().toSorted((a, b) => a - b)).toEqual([2, 3, 3]);
    await world.clock.advance(120_000);
    expect(world.replicas.reduce((sum, { begun }) => sum + begun, 0)).toBe(8);
  });

  it('pass on what one that joins lacks, only after the work on it has ended', async () => {
    world.drainMs = 4_000;
    const first = world.start(4);
    await world.clock.advance(5_000);
    const second = world.start(4);
    await world.clock.advance(3_000);
    // Still held: the work on two of them is coming to its end.
    expect([first.size, second.size]).toEqual([4, 0]);
    await world.clock.advance(10_000);
    expect([first.size, second.size]).toEqual([2, 2]);
    expect(world.leases().every(({ metadata }) => metadata.annotations?.[keys.wantedBy] === undefined)).toBe(
      true,
    );
    await world.clock.advance(120_000);
    expect([first.begun, second.begun]).toEqual([4, 2]);
  });

  it('say once for each Lease that they may not ask for it, and ask again and again', async () => {
    const first = world.start(4);
    await world.clock.advance(5_000);
    const second = world.start(4);
    const refusing = (): FakeFault => ({ before: new ApiError(403, 'Forbidden') });
    second.api.fault = ({ verb }) => (verb === 'update' ? refusing() : undefined);
    await world.clock.advance(60_000);
    expect([first.size, second.size]).toEqual([4, 0]);
    expect(second.warnings).toEqual(Array(2).fill('lease cannot be asked for, retrying'));
    second.api.fault = () => undefined;
    await world.clock.advance(20_000);
    expect([first.size, second.size]).toEqual([2, 2]);
  });

  it('take over what one held that went without a word, within 20 s, and share it out', async () => {
    const [, second, third] = [world.start(6), world.start(6), world.start(6)];
    await world.clock.advance(10_000);
    expect(world.sizes()).toEqual([2, 2, 2]);
    second.cutOff();
    third.cutOff();
    await world.clock.advance(20_000);
    expect(world.sizes()).toEqual([6, 0, 0]);
    third.api.fault = () => undefined;
    await world.clock.advance(10_000);
    expect(world.sizes()).toEqual([3, 0, 3]);
  });

  it('take over at once what one gives back that ends in good order', async () => {
    const [first] = [world.start(3), world.start(3), world.start(3)];
    await world.clock.advance(10_000);
    first.stop();
    await world.clock.advance(5_000);
    expect(world.sizes().toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  });

  it('share out the other Leases when one of them can be written by nobody', async () => {
    const [first, second] = [world.start(4), world.start(4)];
    await world.clock.advance(10_000);
    expect(world.sizes()).toEqual([2, 2]);
    for (const { api } of [first, second]) {
      api.fault = ({ verb, name }) =>
        verb === 'update' && name === 'controller-1' ? { before: new ApiError(403, 'Forbidden') } : undefined;
    }
    await world.clock.advance(60_000);
    second.cutOff();
    await world.clock.advance(60_000);
    expect([...first.held].toSorted((a, b) => a - b)).toEqual([0, 2, 3]);
  });

  it('beyond the number of shards stand by, and ask for nothing', async () => {
    for (let index = 0; index < 4; index += 1) {
      world.start(2);
    }
    await world.clock.advance(60_000);
    expect(world.sizes().toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1]);
    expect(world.replicas.reduce((sum, { begun }) => sum + begun, 0)).toBe(2);
  });

  it('with another number of shards wait until the first Lease is theirs, and then rule', async () => {
    const [old, older] = [world.start(1), world.start(1)];
    await world.clock.advance(5_000);
    const [first, second] = [world.start(4), world.start(4)];
    await world.clock.advance(60_000);
    expect(world.sizes()).toEqual([1, 0, 0, 0]);
    expect(first.warnings).toEqual([
      'another number of shards is in use, nothing is done before its processes have ended',
    ]);
    older.stop();
    await world.clock.advance(5_000);
    old.stop();
    await world.clock.advance(20_000);
    expect([first.size, second.size]).toEqual([2, 2]);
    // And back, as when the change is undone.
    const one = world.start(1);
    first.stop();
    second.stop();
    await world.clock.advance(20_000);
    expect(one.size).toBe(1);
    const { metadata } = world.leases().find(({ metadata: { name } }) => name === 'controller') ?? {};
    expect(metadata?.annotations).toEqual({});
  });

  it('give up the other shards when the first Lease goes to one with another number', async () => {
    const [first, second] = [world.start(2), world.start(2)];
    await world.clock.advance(10_000);
    expect(world.sizes()).toEqual([1, 1]);
    const [holder, other] = first.held.has(0) ? [first, second] : [second, first];
    const one = world.start(1);
    other.api.fault = (call) => (call.verb === 'list' ? { delayMs: 4_000 } : undefined);
    holder.stop();
    await world.clock.advance(20_000);
    expect([one.size, other.size]).toEqual([1, 0]);
  });

  it('list all Leases together, and read one alone by its name', async () => {
    const [first, second] = [world.start(8), world.start(8)];
    await world.clock.advance(30_000);
    for (const { api } of [first, second]) {
      const before = api.calls.length;
      await world.clock.advance(60_000);
      const verbs = api.calls.slice(before).map(({ verb }) => verb);
      expect(verbs.filter((verb) => verb === 'list').length).toBeLessThanOrEqual(60 / 2);
      expect(verbs.filter((verb) => verb !== 'list' && verb !== 'update')).toEqual([]);
    }
    const one = new World();
    const [alone, standby] = [one.start(1), one.start(1)];
    await one.clock.advance(30_000);
    expect(alone.api.calls.some(({ verb }) => verb === 'list')).toBe(false);
    expect(standby.api.calls.every(({ verb }) => verb === 'get' || verb === 'create')).toBe(true);
    await standby[Symbol.asyncDispose]();
    await alone[Symbol.asyncDispose]();
  });
});

/** What a replica's requests meet for a while. */
const weather: fc.Arbitrary<FakeFault> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.record({ delayMs: fc.nat(12_000), answerDelayMs: fc.nat(12_000) }) },
  { weight: 1, arbitrary: fc.constant({ before: new TransportError('ConnectionReset', true, '') }) },
  { weight: 1, arbitrary: fc.constant({ after: new TransportError('ConnectionReset', true, '') }) },
  { weight: 1, arbitrary: fc.constant({ answerDelayMs: 1e9 }) },
);

const steps = fc.record({
  ms: fc.nat(12_000),
  replica: fc.nat(2),
  weather,
  /** The process is asked to stop, and started again under a new identity. */
  restart: fc.boolean(),
});

it('no shard has two holders at a time while clocks run alike, and in the end the shares are fair', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { minLength: 5, maxLength: 25 }),
      fc.integer({ min: 2, max: 6 }),
      // A leader may take less than lease duration minus renew deadline to end.
      fc.nat(4_900),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      async (script, shards, drainMs, randoms) => {
        const here = new World();
        here.drainMs = drainMs;
        const random = (): number => [...randoms.take(1)][0] ?? 0;
        const running = Array.from({ length: 3 }, () => here.start(shards, random));
        const heldTwice = (): boolean => {
          const held = here.replicas.flatMap((replica) => [...replica.held]);
          return new Set(held).size < held.length;
        };
        let overlaps = 0;
        for (const step of script) {
          const replica = running[step.replica];
          if (replica !== undefined) {
            replica.api.fault = () => step.weather;
            if (step.restart) {
              replica.stop();
              running[step.replica] = here.start(shards, random);
            }
          }
          for (let left = step.ms; left > 0; left -= 500) {
            await here.clock.advance(Math.min(left, 500));
            overlaps += Number(heldTwice());
          }
        }
        for (const replica of running) {
          replica.api.fault = () => undefined;
        }
        await here.clock.advance(120_000);
        const sizes = running.map(({ size }) => size);
        expect([overlaps, sizes.reduce((sum, size) => sum + size, 0)]).toEqual([0, shards]);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        for (const replica of here.replicas) {
          replica.api.fault = () => undefined;
          replica.stop();
        }
        await here.clock.advance(30_000);
        await Promise.all(here.replicas.map(({ done }) => done));
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);

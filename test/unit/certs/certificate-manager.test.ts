import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiError, TransportError } from '../../../shared/kube/errors.ts';
import type { FakeCall } from '../fakes/fake-api.ts';
import { Cluster, type Replica } from './replicas.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** A cluster with this many replicas that started at once, stopped when the test is over. */
function cluster(count: number): Cluster {
  const made = new Cluster();
  onTestFinished(() => made.stop());
  for (let index = 0; index < count; index += 1) made.start();
  return made;
}

const writes = ({ api }: Replica): FakeCall[] =>
  api.calls.filter(({ verb }) => verb === 'create' || verb === 'patch');
const signingOf = ({ stored }: Cluster): string =>
  stored?.kind === 'usable' ? stored.authorities.signing.certPem : 'none';

/** Lets wall time pass, and the regular look after it. */
async function pass(world: Cluster, ms: number): Promise<void> {
  world.clock.jump(ms);
  await world.clock.advance(hour + minute);
}

describe('a start', () => {
  it('is ready with one authority, however many start at once', async () => {
    const world = cluster(5);
    await world.clock.until(() => world.allReady, minute);
    const issuers = new Set(world.replicas.map(({ leaf }) => leaf?.caBundle));
    expect([...issuers]).toEqual([signingOf(world)]);
    expect(world.live).toEqual([signingOf(world), signingOf(world)]);
    expect(new Set(world.replicas.map(({ leaf }) => leaf?.certPem)).size).toBe(5);
    expect(world.replicas.every((replica) => replica.served.length === 1)).toBe(true);
  });

  it('says what it waits for while there is no webhook configuration, and is ready when it appears', async () => {
    const world = cluster(0);
    world.dropConfiguration();
    const replica = world.start();
    expect(replica.manager.problem()).toBe('there is no serving certificate yet');
    await world.clock.advance(5_000);
    expect(replica.manager.problem()).toBe('the webhook configuration does not exist');
    world.putConfiguration();
    await world.clock.until(() => world.allReady, minute);
  });

  it('tells when leaf and authority expire', async () => {
    const world = cluster(1);
    const begun = world.clock.now();
    await world.clock.until(() => world.allReady, minute);
    expect(world.replicas[0]?.manager.expiry()).toEqual({
      leaf: begun + 30 * day,
      authority: begun + 365 * day,
    });
  });

  it('issues again when the leaf could not be put to use', async () => {
    const world = cluster(0);
    const replica = world.start();
    let refusals = 2;
    replica.onLeaf = () => {
      if (refusals > 0) {
        refusals -= 1;
        throw new Error('no context');
      }
    };
    await world.clock.until(() => world.allReady, minute);
    expect(refusals).toBe(0);
  });
});

describe('healing', () => {
  it.each([
    ['a wiped caBundle', (world: Cluster) => world.putConfiguration()],
    ['a caBundle that is garbage', (world: Cluster) => world.putConfiguration('x', world.live[1])],
    ['a deleted Secret', (world: Cluster) => world.dropSecret()],
    ['a Secret that is garbage', (world: Cluster) => world.putSecret('{')],
    [
      'a wiped caBundle and a deleted Secret',
      (world: Cluster) => {
        world.dropSecret();
        world.putConfiguration();
      },
    ],
  ])('%s heals within seconds, and the leaf in use goes on', async (_name, harm) => {
    const world = cluster(3);
    await world.clock.until(() => world.allReady, minute);
    await world.clock.advance(10 * minute);
    const before = world.replicas.map(({ leaf }) => leaf);
    harm(world);
    await world.clock.advance(5_000);
    expect(world.allReady).toBe(true);
    expect(world.replicas.every((replica) => world.verifies(replica))).toBe(true);
    expect(world.stored).toMatchObject({ kind: 'usable', damaged: false });
    for (const [index, replica] of world.replicas.entries()) {
      // The old leaf serves until the new authority had time to be trusted.
      const expected = replica.leaf === before[index] ? before[index]?.caBundle : signingOf(world);
      expect(replica.leaf?.caBundle).toContain(expected);
    }
    await world.clock.advance(6 * minute);
    expect(world.replicas.every(({ leaf }) => leaf?.caBundle?.includes(signingOf(world)))).toBe(true);
  });

  it('a change that no watch told of is found by the hourly look', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    await world.clock.advance(minute);
    const [replica] = world.replicas;
    if (replica !== undefined) replica.api.silent = true;
    world.putConfiguration();
    await world.clock.advance(hour);
    expect(world.live[0]).toBe(signingOf(world));
  });

  it('goes on with the leaf in use while the API server is away, and renews it after', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    const [replica] = world.replicas;
    const first = replica?.leaf;
    replica?.cutOff();
    await pass(world, 25 * day);
    expect([replica?.leaf, replica?.manager.problem()]).toEqual([first, undefined]);
    replica?.reconnect();
    await world.clock.advance(2 * minute);
    expect(replica?.served).toHaveLength(2);
  });

  it('renews the leaf though the webhook configuration may not be read any more', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    const [replica] = world.replicas;
    replica?.reconnect((call) =>
      call.resource?.plural === 'validatingwebhookconfigurations'
        ? { before: new ApiError(403, 'Forbidden') }
        : undefined,
    );
    await pass(world, 21 * day);
    expect(replica?.served).toHaveLength(2);
  });

  it('rights that are revoked in the middle of a rotation only delay it', async () => {
    const world = cluster(2);
    await world.clock.until(() => world.allReady, minute);
    const old = signingOf(world);
    for (const replica of world.replicas) {
      replica.reconnect(({ verb, resource }) =>
        verb === 'patch' && resource?.group !== '' ? { before: new ApiError(403, 'Forbidden') } : undefined,
      );
    }
    await pass(world, 250 * day);
    expect(signingOf(world)).toBe(old);
    expect(world.allReady).toBe(true);
    for (const replica of world.replicas) replica.reconnect();
    await world.clock.advance(10 * minute);
    expect(signingOf(world)).not.toBe(old);
    expect(world.live[0]).toContain(old);
    expect(world.allReady).toBe(true);
  });
});

describe('costs', () => {
  it('at rest are two reads an hour', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    await world.clock.advance(30 * minute);
    const [replica] = world.replicas;
    const before = replica?.api.calls.filter(({ verb }) => verb === 'get').length ?? 0;
    await world.clock.advance(10 * hour);
    const after = replica?.api.calls.filter(({ verb }) => verb === 'get').length ?? 0;
    expect(after - before).toBeLessThanOrEqual(22);
    expect(replica?.manager.problem()).toBeUndefined();
  });

  it('stay small when somebody undoes every write', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    const [replica] = world.replicas;
    if (replica === undefined) throw new Error('no replica');
    replica.reconnect((call) => {
      if (call.verb === 'patch') setImmediate(() => world.putConfiguration());
      return undefined;
    });
    world.putConfiguration();
    await world.clock.advance(hour);
    expect(writes(replica).length).toBeLessThan(250);
  });

  it('stay small when every call fails', async () => {
    const world = cluster(0);
    const replica = world.start(0, () => ({ before: new TransportError('Timeout', true, '') }));
    await world.clock.advance(hour);
    expect(replica.api.calls.filter(({ verb }) => verb === 'get').length).toBeLessThan(130);
    replica.reconnect();
    await world.clock.until(() => world.allReady, 2 * minute);
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { chainsTo } from '../../../certs/live-bundle.ts';
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
  api.calls.filter(({ verb }) => verb === 'create' || verb === 'update' || verb === 'patch');
const signingOf = ({ stored }: Cluster): string =>
  stored?.kind === 'usable' ? stored.cas.signing.certPem : 'none';

/** Lets wall time pass, and the regular look after it. */
async function pass(world: Cluster, ms: number): Promise<void> {
  world.clock.jump(ms);
  await world.clock.advance(hour + minute);
}

describe('a start', () => {
  it('is ready with one CA, however many start at once', async () => {
    const world = cluster(5);
    await world.clock.until(() => world.allReady, minute);
    expect(world.live).toEqual([signingOf(world), signingOf(world)]);
    expect(new Set(world.replicas.map(({ leaf }) => leaf?.certPem)).size).toBe(5);
    expect(world.replicas.every((replica) => replica.served.length === 1)).toBe(true);
    expect(world.replicas.flatMap(({ api }) => api.calls).filter(({ verb }) => verb === 'create')).toEqual(
      [],
    );
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

  it('shows when the certificate and its CA expire', async () => {
    const world = cluster(1);
    const begun = world.clock.now();
    await world.clock.until(() => world.allReady, minute);
    expect(world.replicas[0]?.manager.expiry()).toEqual({
      leaf: begun + 30 * day,
      authority: begun + 365 * day,
    });
  });

  it('issues again when the certificate could not be put to use', async () => {
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
    [
      'a Secret that was deleted and applied again',
      (world: Cluster) => {
        world.dropSecret();
        world.applySecret();
      },
    ],
    ['a Secret that was emptied', (world: Cluster) => world.putSecret('')],
    ['a Secret that is garbage', (world: Cluster) => world.putSecret('{')],
    [
      'a wiped caBundle and an emptied Secret',
      (world: Cluster) => {
        world.putSecret('');
        world.putConfiguration();
      },
    ],
  ])('%s heals within seconds, and the certificate in use goes on', async (_name, harm) => {
    const world = cluster(3);
    await world.clock.until(() => world.allReady, minute);
    await world.clock.advance(10 * minute);
    const before = world.replicas.map(({ leaf }) => leaf);
    harm(world);
    await world.clock.advance(5_000);
    expect(world.allReady).toBe(true);
    expect(world.replicas.every((replica) => world.verifies(replica))).toBe(true);
    expect(world.stored).toMatchObject({ kind: 'usable' });
    // The old certificate serves until a new CA had time to be trusted.
    expect(world.replicas.map(({ leaf }) => leaf)).toEqual(before);
    await world.clock.advance(6 * minute);
    expect(world.replicas.every(({ leaf }) => chainsTo(leaf?.certPem ?? '', [signingOf(world)]))).toBe(true);
  });

  it('a change that no watch showed is found by the hourly look', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    await world.clock.advance(minute);
    const [replica] = world.replicas;
    if (replica !== undefined) replica.api.silent = true;
    world.putConfiguration();
    await world.clock.advance(hour);
    expect(world.live[0]).toBe(signingOf(world));
  });

  it('goes on with the certificate in use while the API server is away, and renews it after', async () => {
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

  it('renews the certificate though the webhook configuration may not be read any more', async () => {
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

describe('a replica whose clock is wrong', () => {
  it.each([-400, -20, 20, 400])('by %i days removes no CA, serves, and says by how much', async (days) => {
    const world = cluster(2);
    await world.clock.until(() => world.allReady, minute);
    await world.clock.advance(10 * minute);
    const before = [world.stored, world.live];
    const wrong = world.start(days * day);
    await world.clock.until(() => world.allReady, minute);
    await world.clock.advance(2 * hour);
    expect([world.stored, world.live]).toEqual(before);
    expect(world.isCurrent(wrong) && world.verifies(wrong)).toBe(true);
    expect(wrong.manager.upkeep().clockOffsetMs).toBe(days * day);
    expect(wrong.logged.at(-1)?.message).toBe(
      "this clock and the API server's disagree: no CA is replaced or removed",
    );
  });

  it('still puts back a wiped caBundle', async () => {
    const world = cluster(0);
    world.start(400 * day);
    await world.clock.until(() => world.allReady, minute);
    const before = world.live;
    world.putConfiguration();
    await world.clock.advance(1_000);
    expect(world.live).toEqual(before);
  });
});

describe('a Secret that does not exist', () => {
  it('is not created; the certificate in use goes on, and a new replica says what to do', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    world.dropSecret();
    const late = world.start();
    await world.clock.advance(hour);
    expect(world.stored).toBeUndefined();
    expect(world.replicas.map(({ manager }) => manager.problem())).toEqual([
      undefined,
      'the CA Secret does not exist',
    ]);
    expect(late.logged.at(-1)?.fields?.['advice']).toContain('apply the manifests again');
    world.applySecret();
    await world.clock.until(() => world.allReady, minute);
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

  it('stay bounded when somebody undoes every write, and the bundle is put back within 100 ms each time', async () => {
    const world = cluster(1);
    await world.clock.until(() => world.allReady, minute);
    const [replica] = world.replicas;
    if (replica === undefined) throw new Error('no replica');
    replica.reconnect((call) => {
      if (call.verb === 'patch') world.clock.schedule(1, () => world.putConfiguration());
      return undefined;
    });
    world.putConfiguration();
    await world.clock.advance(minute);
    const inOneMinute = writes(replica).length;
    expect(inOneMinute).toBeGreaterThan(400);
    expect(inOneMinute).toBeLessThan(30 + 10 * 60 + 1);
    expect(replica.manager.upkeep().caBundleWrites).toBeGreaterThan(400);
    expect(replica.logged.map(({ message }) => message)).toContain(
      'something else keeps changing the caBundle, it is put back every time',
    );
    expect(replica.logged.length).toBeLessThan(50);
  });

  it('stay small when every call fails', async () => {
    const world = cluster(0);
    const replica = world.start(0, () => ({ before: new TransportError('Timeout', true, '') }));
    await world.clock.advance(hour);
    expect(replica.api.calls.filter(({ verb }) => verb === 'get').length).toBeLessThan(600);
    replica.reconnect();
    await world.clock.until(() => world.allReady, 2 * minute);
  });
});

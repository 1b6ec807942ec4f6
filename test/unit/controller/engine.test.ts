import { describe, expect, it } from 'vitest';
import { ApiError, TransportError } from '../../../shared/kube/errors.ts';
import type { KubeObject, PayloadObject } from '../../../shared/kube/object.ts';
import { configMaps, namespaces } from '../../../shared/kube/resource.ts';
import { anObject, type FakeApi, type FakeCall } from '../fakes/fake-api.ts';
import { keys } from './arbitraries.ts';
import { EngineWorld, entryOf } from './engine-world.ts';

const minutes = 60_000;

function count(calls: readonly FakeCall[], verb: FakeCall['verb'], plural = 'configmaps'): number {
  return calls.filter((call) => call.verb === verb && call.resource?.plural === plural).length;
}

function unavailable(api: FakeApi): void {
  api.fault = () => ({ before: new TransportError('ConnectionRefused', false, '') });
  api.endWatches(new TransportError('ConnectionReset', true, ''));
}

describe('many clusters', () => {
  it('get one write a copy, from one read of each source, and cost nothing at rest', async () => {
    await using world = new EngineWorld();
    const contexts = Array.from({ length: 20 }, (_, index) => `c${index}`);
    for (const context of contexts) {
      world.target(context);
    }
    for (let index = 0; index < 30; index += 1) {
      world.annotate(`s${index}`, contexts.join(), '1');
    }
    await world.start(...contexts);
    expect(contexts.map((context) => count(world.target(context).calls, 'create'))).toEqual(
      contexts.map(() => 30),
    );
    expect(count(world.source.calls, 'get')).toBe(30);
    for (const context of contexts) {
      const calls = await world.during(world.target(context), 0);
      expect(calls).toEqual([]);
    }
    const idle = await world.during(world.target('c0'), 30 * minutes);
    expect(idle.filter(({ verb }) => verb !== 'list').length).toBeLessThanOrEqual(30);
    expect(count(idle, 'get')).toBe(0);
  });

  it('lose the copies of a source that is gone on one live read', async () => {
    await using world = new EngineWorld();
    const contexts = Array.from({ length: 20 }, (_, index) => `c${index}`);
    for (const context of contexts) {
      world.target(context);
    }
    world.annotate('omni', contexts.join(), '1');
    await world.start(...contexts);
    const calls = await world.during(world.source, 1_000, () => {
      world.source.drop(configMaps, 'demo', 'omni');
    });
    expect(contexts.map((context) => world.copy(context, 'omni'))).toEqual(contexts.map(() => undefined));
    expect(count(calls, 'get')).toBe(1);
  });

  it('do not notice that one of them goes down and comes back', async () => {
    await using world = new EngineWorld();
    world.target('c1');
    world.target('c2');
    for (let index = 0; index < 10; index += 1) {
      world.annotate(`s${index}`, 'c1,c2', '1');
    }
    await world.start('c1', 'c2');
    const source = world.source.calls.length;
    const healthy = await world.during(world.target('c2'), 1 * minutes, () => {
      unavailable(world.target('c1'));
    });
    world.annotate('s0', 'c1,c2', '2');
    await world.clock.advance(1_000);
    expect([world.copy('c1', 's0'), world.copy('c2', 's0')]).toEqual(['1', '2']);
    expect(healthy.filter(({ verb }) => verb !== 'get')).toEqual([]);
    world.target('c1').fault = () => undefined;
    await world.clock.advance(30_000);
    expect(world.copy('c1', 's0')).toBe('2');
    const reads = world.source.calls.slice(source).filter(({ verb }) => verb === 'get');
    expect(reads.length).toBeLessThanOrEqual(2);
  });
});

describe('a restart', () => {
  it('beside copies in sync reads no payload of a source, and verifies contents by pages', async () => {
    await using world = new EngineWorld();
    world.target('c1');
    for (let index = 0; index < 60; index += 1) {
      world.annotate(`s${index}`, 'c1', '1');
    }
    await world.start('c1');
    await world.stop();
    world.target('c1').calls.length = 0;
    world.source.calls.length = 0;
    await world.start('c1');
    expect(count(world.source.calls, 'get')).toBe(0);
    const calls = world.target('c1').calls;
    expect(calls.filter(({ verb }) => verb === 'create' || verb === 'update')).toEqual([]);
    expect(count(calls, 'get')).toBe(0);
    expect(calls.filter(({ verb, shape }) => verb === 'list' && shape === 'full').length).toBeLessThanOrEqual(
      4,
    );
  });

  it('brings a change of the meantime at once, and repairs drift of the meantime soon', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    for (let index = 0; index < 60; index += 1) {
      world.annotate(`s${index}`, 'c1', '1');
    }
    await world.start('c1');
    await world.stop();
    world.annotate('s7', 'c1', '2');
    const drifted = target.peek<PayloadObject>(configMaps, 'demo', 's9');
    if (drifted !== undefined) {
      target.put(configMaps, { ...drifted, data: { key: 'edited' } });
    }
    // Contents cannot be read in the background for now.
    target.fault = ({ verb, shape }) =>
      verb === 'list' && shape === 'full' ? { before: new ApiError(500, 'ServerError') } : undefined;
    await world.start('c1');
    expect([world.copy('c1', 's7'), world.copy('c1', 's9')]).toEqual(['2', 'edited']);
    target.fault = () => undefined;
    await world.clock.advance(30_000);
    expect(world.copy('c1', 's9')).toBe('1');
  });
});

it('copies whose contents could not be verified page by page are read after what changes live', async () => {
  await using world = new EngineWorld();
  const target = world.target('c1');
  for (let index = 0; index < 300; index += 1) {
    world.annotate(`s${index}`, 'c1', '1');
  }
  await world.start('c1');
  await world.stop();
  target.fault = ({ verb, shape, resource }) => {
    if (verb === 'list' && shape === 'full') {
      return { before: new ApiError(410, 'Gone') };
    }
    return verb === 'get' && resource === configMaps ? { delayMs: 1_000 } : undefined;
  };
  await world.start('c1');
  world.annotate('s299', 'c1', '2');
  await world.clock.advance(1_500);
  expect(world.copy('c1', 's299')).toBe('2');
  expect(count(target.calls, 'get')).toBeLessThan(300);
});

it('a list that becomes valid because a context came lets go the copies of contexts that were taken off it', async () => {
  await using world = new EngineWorld();
  for (const context of ['c1', 'c2', 'c3']) {
    world.target(context);
  }
  world.annotate('omni', 'c1,c2', '1');
  await world.start('c1', 'c2');
  // c1 is taken off, and c3 is not known yet: an invalid list deletes nothing.
  world.annotate('omni', 'c2,c3', '1');
  await world.clock.advance(5_000);
  expect([world.copy('c1', 'omni'), world.copy('c2', 'omni')]).toEqual(['1', '1']);
  world.engine.useContexts([entryOf('c1'), entryOf('c2'), entryOf('c3')]);
  await world.clock.advance(5_000);
  expect(['c1', 'c2', 'c3'].map((context) => world.copy(context, 'omni'))).toEqual([undefined, '1', '1']);
});

describe('copies that somebody forged on a target', () => {
  /** Whatever can be read on a copy: the cluster's uid, and the namespace, name and uid of its source. */
  function forge(world: EngineWorld, context: string, name: string, resourceVersion: string): void {
    const target = world.target(context);
    const real = target.peek<PayloadObject>(configMaps, 'demo', 'omni')?.metadata;
    const origin = real?.annotations?.[keys.origin]?.replaceAll('"omni"', `"${name}"`) ?? '';
    target.put(configMaps, {
      ...anObject(configMaps, 'demo', name, {
        labels: real?.labels ?? {},
        annotations: {
          [keys.origin]: origin.replace(/"resourceVersion":"\d+"/, `"resourceVersion":"${resourceVersion}"`),
        },
      }),
      data: { key: 'forged' },
    });
  }

  it('count for nothing in the mass-deletion guard, also where what they name is plausible', async () => {
    await using world = new EngineWorld();
    world.target('c1');
    world.annotate('omni', 'c1', '1');
    world.annotate('gone', 'c1', '1');
    await world.start('c1');
    await world.stop();
    for (let index = 0; index < 700; index += 1) {
      forge(world, 'c1', `a${index}`, '1');
    }
    world.source.drop(configMaps, 'demo', 'gone');
    await world.start('c1');
    await world.clock.advance(60_000);
    expect(world.copy('c1', 'gone')).toBeUndefined();
    const [lane] = world.engine.lanes.values();
    expect([lane?.guard.held, lane?.guard.tripped]).toEqual([200, true]);
    world.source.drop(configMaps, 'demo', 'omni');
    await world.clock.advance(1_000);
    expect(world.copy('c1', 'omni')).toBeUndefined();
  });

  it('do not make it look as if the source cluster was restored', async () => {
    await using world = new EngineWorld();
    world.target('c1');
    world.target('c2');
    world.annotate('omni', 'c1,c2', '1');
    await world.start('c1', 'c2');
    await world.stop();
    forge(world, 'c1', 'forged', '999999999');
    world.source.calls.length = 0;
    await world.start('c1', 'c2');
    expect([...world.engine.lanes.values()].map(({ guard }) => guard.tripped)).toEqual([false, false]);
    expect(world.warnings.filter((line) => line.startsWith('source cluster went back'))).toEqual([]);
    // The proof that its source is not there; contents are not compared.
    expect(count(world.source.calls, 'get')).toBe(1);
  });
});

it('a copy of a version that the source cluster has yet to reach stops deletion on its target, and there alone', async () => {
  await using world = new EngineWorld();
  world.target('c1');
  world.target('c2');
  world.annotate('omni', 'c1,c2', '1');
  world.annotate('other', 'c2', '1');
  await world.start('c1', 'c2');
  const saved = world.source.save();
  world.annotate('omni', 'c1,c2', '2');
  world.annotate('lost', 'c1', '1');
  await world.clock.advance(1_000);
  // What the source cluster knew of c2 is gone, too.
  world.target('c2').drop(configMaps, 'demo', 'omni');
  await world.stop();
  world.source.restore(saved);
  world.source.calls.length = 0;
  await world.start('c1', 'c2');
  expect(['omni', 'lost'].map((name) => world.copy('c1', name))).toEqual(['1', '1']);
  expect([...world.engine.lanes.values()].map(({ guard }) => guard.tripped)).toEqual([true, false]);
  expect(world.copy('c2', 'omni')).toBe('1');
  // Of the lane that knows nothing of a restore, no content is compared.
  expect(world.source.calls.filter(({ name }) => name === 'other')).toEqual([]);
});

describe('what lasts', () => {
  it('costs one request at a time for all objects of a missing namespace, and heals when it comes', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    target.requireNamespaces = true;
    target.drop(namespaces, undefined, 'demo');
    for (let index = 0; index < 200; index += 1) {
      world.annotate(`s${index}`, 'c1', '1');
    }
    await world.start('c1');
    await world.clock.advance(5 * minutes);
    const calls = await world.during(target, 10 * minutes);
    expect(count(calls, 'create')).toBeLessThanOrEqual(60);
    expect(world.warnings.filter((line) => line.startsWith('pass over a copy failed'))).toHaveLength(1);
    expect(world.told.filter(({ reason }) => reason === 'NamespaceNotFound')).not.toHaveLength(0);
    target.put(namespaces, { metadata: { name: 'demo' } });
    await world.clock.advance(20_000);
    expect(world.copy('c1', 's199')).toBe('1');
  });

  it('costs one request at a time for all objects of a namespace that stays terminating, and as many reads of sources', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    for (let index = 0; index < 200; index += 1) {
      world.annotate(`s${index}`, 'c1', '1');
    }
    await world.start('c1');
    target.fault = ({ verb }) =>
      verb === 'create' ? { before: new ApiError(403, 'NamespaceTerminating') } : undefined;
    for (let index = 0; index < 200; index += 1) {
      target.drop(configMaps, 'demo', `s${index}`);
    }
    await world.clock.advance(5 * minutes);
    const reads = world.source.calls.length;
    const calls = await world.during(target, 10 * minutes);
    expect(count(calls, 'create')).toBeLessThanOrEqual(60);
    expect(count(world.source.calls.slice(reads), 'get')).toBeLessThanOrEqual(60);
    target.fault = () => undefined;
    await world.clock.advance(20_000);
    expect(['s0', 's199'].map((name) => world.copy('c1', name))).toEqual(['1', '1']);
  });

  it('is a list that fails: an Event and a log line say so, and the copies follow when it works', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    target.fault = ({ verb, resource }) =>
      verb === 'list' && resource?.plural === 'configmaps'
        ? { before: new ApiError(500, 'ServerError') }
        : undefined;
    world.annotate('omni', 'c1', '1');
    await world.start('c1');
    await world.clock.advance(5_000);
    expect(world.told).toEqual([{ name: 'omni', reason: 'TargetListFailed' }]);
    expect(
      world.warnings.some((line) => line.startsWith('copies on a target cluster cannot be listed')),
    ).toBe(true);
    expect([...world.engine.lanes.values()].map(({ failingLists }) => failingLists)).toEqual([1]);
    target.fault = () => undefined;
    await world.clock.advance(15_000);
    expect(world.copy('c1', 'omni')).toBe('1');
    expect(world.told.at(-1)).toEqual({ name: 'omni', reason: 'Recovered' });
  });

  it('is something that deletes copies: it is contested, not fought over', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    world.annotate('omni', 'c1', '1');
    await world.start('c1');
    const calls = await world.during(target, 0);
    expect(calls).toEqual([]);
    const before = count(target.calls, 'create');
    for (let round = 0; round < 500; round += 1) {
      target.drop(configMaps, 'demo', 'omni');
      await world.clock.advance(50);
    }
    expect(count(target.calls, 'create') - before).toBeLessThanOrEqual(8);
    expect(world.told[0]).toEqual({ name: 'omni', reason: 'Contested' });
  });

  it('is a copy that finalizers hold: an Event says so, and it is created again when it is gone', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    world.annotate('omni', 'c1', '1');
    await world.start('c1');
    const copy = target.peek<PayloadObject>(configMaps, 'demo', 'omni');
    if (copy === undefined) {
      throw new Error('there is no copy');
    }
    target.put(configMaps, { ...copy, metadata: { ...copy.metadata, finalizers: ['example.com/hold'] } });
    world.source.drop(configMaps, 'demo', 'omni');
    await world.clock.advance(1_000);
    world.annotate('omni', 'c1', '2');
    const calls = await world.during(target, 30_000);
    expect(count(calls, 'create')).toBe(0);
    expect(world.told).toEqual([{ name: 'omni', reason: 'CopyTerminating' }]);
    const held = target.peek<PayloadObject>(configMaps, 'demo', 'omni');
    if (held !== undefined) {
      target.put(configMaps, { ...held, metadata: { ...held.metadata, finalizers: [] } });
    }
    await world.clock.advance(1_000);
    expect(world.copy('c1', 'omni')).toBe('2');
  });

  it('is a copy that finalizers hold and that lost its labels: it is created again although no watch shows that it went', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    world.annotate('omni', 'c1', '1');
    await world.start('c1');
    const change = (metadata: Partial<PayloadObject['metadata']>): void => {
      const copy = target.peek<PayloadObject>(configMaps, 'demo', 'omni');
      if (copy === undefined) {
        throw new Error('there is no copy');
      }
      target.put(configMaps, { ...copy, metadata: { ...copy.metadata, ...metadata } });
    };
    change({ finalizers: ['example.com/hold'] });
    target.drop(configMaps, 'demo', 'omni');
    change({ labels: {} });
    await world.clock.advance(10_000);
    expect(world.told).toEqual([{ name: 'omni', reason: 'CopyTerminating' }]);
    change({ finalizers: [] });
    await world.clock.advance(2 * minutes);
    expect(world.copy('c1', 'omni')).toBe('1');
  });

  it('is no problem of a source that is gone', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    target.fault = ({ verb }) =>
      verb === 'create' ? { before: new ApiError(422, 'Invalid'), delayMs: 300 } : undefined;
    for (let index = 0; index < 60; index += 1) {
      world.annotate(`s${index}`, 'c1', '1');
    }
    await world.start('c1');
    expect(world.reporter.counts().get('TargetRefused')).toBe(60);
    for (let index = 0; index < 60; index += 1) {
      world.annotate(`s${index}`, 'c1', '2');
    }
    await world.clock.advance(100);
    for (let index = 0; index < 60; index += 1) {
      world.source.drop(configMaps, 'demo', `s${index}`);
    }
    await world.clock.advance(5 * minutes);
    expect(world.reporter.counts()).toEqual(new Map());
  });
});

it('a namespace that held no copy for a while, and then one, is watched after a restart, too', async () => {
  await using world = new EngineWorld();
  world.target('c1').fault = ({ verb, namespace, resource }) =>
    verb === 'list' && namespace === undefined && resource === configMaps
      ? { before: new ApiError(403, 'Forbidden') }
      : undefined;
  world.annotate('omni', 'c1', '1');
  await world.start('c1');
  world.source.drop(configMaps, 'demo', 'omni');
  await world.clock.advance(40 * minutes);
  world.annotate('omni', 'c1', '2');
  await world.clock.advance(1_000);
  expect(world.copy('c1', 'omni')).toBe('2');
  await world.stop();
  world.source.drop(configMaps, 'demo', 'omni');
  await world.start('c1');
  expect(world.copy('c1', 'omni')).toBeUndefined();
});

it('a list of one namespace calls for looks at the objects of that namespace alone', async () => {
  await using world = new EngineWorld();
  const target = world.target('c1');
  const spaces = Array.from({ length: 20 }, (_, index) => `n${index}`);
  target.fault = ({ verb, namespace, resource }) => {
    if (verb !== 'list' || resource !== configMaps) {
      return undefined;
    }
    return namespace === undefined
      ? { before: new ApiError(403, 'Forbidden') }
      : { delayMs: 100 * spaces.indexOf(namespace) };
  };
  for (const space of spaces) {
    target.put(namespaces, { metadata: { name: space } });
    for (let index = 0; index < 10; index += 1) {
      world.source.put(
        configMaps,
        anObject(configMaps, space, `s${index}`, { annotations: { [keys.syncContexts]: 'c1' } }),
      );
    }
  }
  await world.start('c1');
  await world.clock.advance(10_000);
  expect(target.objects(configMaps)).toHaveLength(200);
  const [lane] = world.engine.lanes.values();
  const before = lane?.queue.adds ?? 0;
  await world.clock.advance(40 * minutes);
  expect(count(target.calls, 'list')).toBeGreaterThanOrEqual(2 * spaces.length);
  expect((lane?.queue.adds ?? 0) - before).toBeLessThanOrEqual(2 * 200);
});

describe('a namespace of a target in which writes get no answer', () => {
  const hanging = 100;

  async function worldWithAHangingNamespace(): Promise<EngineWorld> {
    const world = new EngineWorld();
    const target = world.target('c1');
    target.put(namespaces, { metadata: { name: 'stuck' } });
    target.fault = ({ verb, namespace }) =>
      namespace === 'stuck' && verb !== 'get'
        ? { before: new TransportError('Timeout', true, ''), delayMs: 10_000 }
        : undefined;
    world.annotate('omni', 'c1', '1');
    await world.start('c1', entryOf('c1-stuck', { at: 'c1', namespace: 'stuck' }));
    for (let index = 0; index < hanging; index += 1) {
      world.annotate(`s${index}`, 'c1-stuck', '1');
    }
    await world.clock.advance(3_000);
    return world;
  }

  it('does not keep a live change from another namespace of this cluster', async () => {
    await using world = await worldWithAHangingNamespace();
    for (const value of ['2', '3', '4']) {
      world.annotate('omni', 'c1', value);
      await world.clock.advance(100);
      expect(world.copy('c1', 'omni')).toBe(value);
    }
  });

  it('costs eight requests at a time, and its copies are created soon after it answers', async () => {
    await using world = await worldWithAHangingNamespace();
    const target = world.target('c1');
    const calls = await world.during(target, 5 * minutes);
    expect(count(calls, 'create')).toBeLessThanOrEqual(8 * 31);
    target.fault = () => undefined;
    await world.clock.advance(30_000);
    expect(target.peek(configMaps, 'stuck', 's99')).toBeDefined();
  });
});

describe('a source cluster that falls silent', () => {
  it('is sent no more reads than there may be passes for the process, however many clusters wait for them', async () => {
    await using world = new EngineWorld();
    const contexts = Array.from({ length: 10 }, (_, index) => `c${index}`);
    for (const context of contexts) {
      world.target(context);
    }
    await world.start(...contexts);
    world.source.fault = ({ verb, resource }) =>
      verb === 'get' && resource?.plural === 'configmaps'
        ? { before: new TransportError('Timeout', true, ''), delayMs: 10_000 }
        : undefined;
    const calls = await world.during(world.source, 9_000, () => {
      for (const context of contexts) {
        for (let index = 0; index < 60; index += 1) {
          world.annotate(`${context}-${index}`, context, '1');
        }
      }
    });
    expect(count(calls, 'get')).toBe(64);
    world.source.fault = () => undefined;
    await world.clock.advance(30_000);
    expect(contexts.map((context) => world.copy(context, `${context}-59`))).toEqual(contexts.map(() => '1'));
  });
});

describe('overload', () => {
  it('of the source pauses what would read it', async () => {
    await using world = new EngineWorld();
    world.target('c1');
    world.source.fault = ({ verb, resource }) =>
      verb === 'get' && resource?.plural === 'configmaps'
        ? { before: new ApiError(429, 'TooManyRequests', { retryAfterMs: 1_000 }) }
        : undefined;
    for (let index = 0; index < 100; index += 1) {
      world.annotate(`s${index}`, 'c1', '1');
    }
    await world.start('c1');
    const calls = await world.during(world.source, 20_000);
    expect(count(calls, 'get')).toBeLessThanOrEqual(32 * 22);
    world.source.fault = () => undefined;
    await world.clock.advance(60_000);
    expect(world.copy('c1', 's99')).toBe('1');
  });

  it('of a target for a day, as a broken proxy says, lasts a minute at most', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    world.annotate('omni', 'c1', '1');
    target.failNext('create', new ApiError(429, 'TooManyRequests', { retryAfterMs: 86_400_000 }));
    await world.start('c1');
    expect(world.copy('c1', 'omni')).toBeUndefined();
    await world.clock.advance(61_000);
    expect(world.copy('c1', 'omni')).toBe('1');
  });

  it('of a probe is no outage', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    world.annotate('omni', 'c1', '1');
    await world.start('c1');
    target.fault = ({ resource }) =>
      resource?.plural === 'namespaces'
        ? { before: new ApiError(429, 'TooManyRequests', { retryAfterMs: 5_000 }) }
        : undefined;
    const calls = await world.during(target, 10 * minutes);
    expect(count(calls, 'list')).toBe(0);
    world.annotate('omni', 'c1', '2');
    await world.clock.advance(100);
    expect(world.copy('c1', 'omni')).toBe('2');
  });
});

describe('a new token for a context that is down', () => {
  it('delays no update and no removal in other clusters', async () => {
    await using world = new EngineWorld();
    world.target('c1');
    world.annotate('omni', 'c1,dead', '1');
    world.annotate('gone', 'c1,dead', '1');
    const dead = world.target('dead');
    await world.start('c1', 'dead');
    dead.fault = () => ({ before: new TransportError('Timeout', true, ''), delayMs: 4_000 });
    await world.clock.advance(10_000);
    expect([world.copy('c1', 'omni'), world.copy('c1', 'gone')]).toEqual(['1', '1']);
    world.engine.useContexts([entryOf('c1'), entryOf('dead', { fingerprint: 'another token' })]);
    world.annotate('omni', 'c1,dead', '2');
    world.annotate('gone', 'dead', '1');
    await world.clock.advance(100);
    expect([world.copy('c1', 'omni'), world.copy('c1', 'gone')]).toEqual(['2', undefined]);
  });
});

it('a copy stays while its source asks for a context that was never reached: it may be a second address of that cluster', async () => {
  await using world = new EngineWorld();
  world.target('c1');
  world.annotate('omni', 'c1', '1');
  const second = world.target('second');
  second.fault = () => ({ before: new TransportError('ConnectionRefused', false, '') });
  await world.start('c1', 'second');
  await world.clock.advance(30_000);
  world.annotate('omni', 'second', '1');
  await world.clock.advance(60_000);
  expect(world.copy('c1', 'omni')).toBe('1');
  second.fault = () => undefined;
  await world.clock.advance(60_000);
  expect([world.copy('c1', 'omni'), world.copy('second', 'omni')]).toEqual([undefined, '1']);
});

it('an invalid list elsewhere is not resolved again, and a relabelled source is not read again, when nothing changed', async () => {
  await using world = new EngineWorld();
  world.target('c1');
  world.target('c2');
  for (let index = 0; index < 20; index += 1) {
    world.annotate(`s${index}`, 'c1', '1');
  }
  await world.start('c1', 'c2');
  // The list changes, the content does not: the copy keeps the older version in its origin.
  for (let index = 0; index < 20; index += 1) {
    world.annotate(`s${index}`, 'c1,c1', '1');
  }
  await world.clock.advance(1_000);
  const reads = count(world.source.calls, 'get');
  for (const lane of world.engine.lanes.values()) {
    lane.resync();
  }
  await world.clock.advance(10_000);
  expect(count(world.source.calls, 'get')).toBe(reads);
});

describe('a context that comes to lead to another cluster', () => {
  it.each<[string, Parameters<typeof entryOf>[1]]>([
    ['its proxy', { proxyUrl: 'http://b' }],
    ['its credentials', { fingerprint: 'renewed' }],
  ])(
    'is asked which one it is before anything is written there, where only %s changed',
    async (_, change) => {
      await using world = new EngineWorld();
      for (const api of [world.source, world.target('c1')]) {
        api.put(namespaces, { metadata: { name: 'team' } });
      }
      const elsewhere = world.source.connection();
      elsewhere.fault = () => ({ delayMs: 5 });
      world.annotate('omni', 'c1', '1');
      await world.start(entryOf('c1', { namespace: 'team' }));
      world.behindProxies.set(change?.proxyUrl, elsewhere);
      world.engine.useContexts([entryOf('c1', { namespace: 'team', ...change })]);
      world.annotate('omni', 'c1', '2');
      await world.clock.advance(10_000);
      expect(world.engine.registry.catalog.contexts.get('c1')?.isSource).toBe(true);
      expect(elsewhere.calls.filter(({ verb }) => verb !== 'get' && verb !== 'list')).toEqual([]);
    },
  );

  it('is written to as that cluster alone, from the moment when it answers again', async () => {
    await using world = new EngineWorld();
    const target = world.target('c1');
    world.annotate('omni', 'c1', '1');
    await world.start('c1');
    unavailable(target);
    await world.clock.advance(30_000);
    target.drop(namespaces, undefined, 'kube-system');
    const { uid } = target.put<KubeObject>(namespaces, { metadata: { name: 'kube-system' } }).metadata;
    target.calls.length = 0;
    target.fault = () => undefined;
    for (let value = 0; world.engine.registry.contexts[0]?.link?.state !== 'up'; value += 1) {
      world.annotate('omni', 'c1', `${value}`);
      await world.clock.advance(5);
    }
    world.annotate('omni', 'c1', 'last');
    await world.clock.advance(5);
    expect([...world.engine.lanes.keys()]).toEqual([uid]);
    await world.clock.advance(1_000);
    expect(world.copy('c1', 'omni')).toBe('last');
  });
});

it('contexts with one address in two networks, behind two proxies, are two clusters', async () => {
  await using world = new EngineWorld();
  const [c1, c2] = [world.target('c1'), world.target('c2')];
  for (const api of [c1, c2]) {
    api.put(namespaces, { metadata: { name: 'team' } });
    unavailable(api);
  }
  world.behindProxies.set('http://user:secret@bastion-1', c1).set('socks5://user:secret@bastion-2', c2);
  world.annotate('both', 'strong,weak', '1');
  await world.start(
    entryOf('strong', { at: 'c1', proxyUrl: 'http://user:secret@bastion-1' }),
    entryOf('weak', { at: 'c1', namespace: 'team', proxyUrl: 'socks5://user:secret@bastion-2' }),
  );
  const clusters = (): string[] =>
    Array.from(world.engine.registry.catalog.contexts.values(), ({ cluster }) => cluster);
  expect(clusters()).toEqual([
    'url:https://c1.example:6443 via http://bastion-1',
    'url:https://c1.example:6443 via socks5://bastion-2',
  ]);
  c1.fault = () => undefined;
  c2.fault = ({ verb, name, namespace }) =>
    (verb === 'get' && name === 'kube-system') || (verb === 'list' && namespace === undefined)
      ? { before: new ApiError(403, 'Forbidden') }
      : undefined;
  await world.clock.advance(30_000);
  expect(new Set(clusters()).size).toBe(2);
  expect([c1.peek(configMaps, 'demo', 'both'), c2.peek(configMaps, 'team', 'both')]).not.toContain(undefined);
});

describe('the mass-deletion guard', () => {
  /** A cluster with copies of these sources, which went while nobody looked, and a trip that holds their deletion back. */
  async function held(world: EngineWorld, names: readonly string[]): Promise<string> {
    world.target('c1');
    for (const name of names) {
      world.annotate(name, 'c1', '1');
    }
    await world.start('c1');
    await world.stop();
    for (const name of names) {
      world.source.drop(configMaps, 'demo', name);
    }
    const trip = world.trip();
    await world.start('c1');
    return trip;
  }
  const heldIn = (world: EngineWorld): number[] =>
    Array.from(world.engine.lanes.values(), ({ guard }) => guard.held);

  it('holds back nothing any more for a cluster that went to another replica, nor lets it go when it comes back', async () => {
    await using world = new EngineWorld();
    const trip = await held(world, ['a', 'b']);
    expect(heldIn(world)).toEqual([2]);
    world.serves = () => false;
    await world.engine.shardsChanged();
    world.target('c1').drop(configMaps, 'demo', 'a');
    world.release(trip);
    world.trip();
    world.serves = () => true;
    await world.engine.shardsChanged();
    await world.clock.advance(10_000);
    expect([world.copy('c1', 'b'), ...heldIn(world)]).toEqual(['1', 1]);
  });

  it('has a new allowance as soon as a trip is released', async () => {
    await using world = new EngineWorld();
    const names = (prefix: string, count: number): string[] =>
      Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    world.target('c1');
    for (const name of [...names('a', 501), ...names('b', 20)]) {
      world.annotate(name, 'c1', '1');
    }
    await world.start('c1');
    await world.clock.advance(10_000);
    await world.stop();
    for (const name of names('a', 501)) {
      world.source.drop(configMaps, 'demo', name);
    }
    await world.start('c1');
    await world.clock.advance(10_000);
    expect(heldIn(world)).toEqual([1]);
    const [trip] = world.trips;
    world.release(trip?.name ?? '');
    await world.clock.advance(1_000);
    expect(world.trips).toEqual([]);
    // A deletion that no watch shows.
    world.source.endWatches();
    world.source.drop(configMaps, 'demo', 'b0');
    world.source.compact();
    await world.clock.advance(20_000);
    expect([world.copy('c1', 'b0'), world.trips, ...heldIn(world)]).toEqual([undefined, [], 0]);
  });
});

describe('one of several replicas', () => {
  it('works on the clusters that it serves, and sends the others nothing but probes', async () => {
    await using world = new EngineWorld();
    const ids = ['c1', 'c2'].map(
      (context) => world.target(context).peek(namespaces, undefined, 'kube-system')?.metadata.uid,
    );
    world.annotate('omni', 'c1,c2', '1');
    world.serves = (cluster) => cluster === ids[0];
    await world.start('c1', 'c2');
    expect([world.copy('c1', 'omni'), world.copy('c2', 'omni')]).toEqual(['1', undefined]);
    expect(world.target('c2').calls.every(({ resource }) => resource?.plural === 'namespaces')).toBe(true);

    world.serves = (cluster) => cluster === ids[1];
    await world.engine.shardsChanged();
    world.annotate('omni', 'c1,c2', '2');
    await world.clock.advance(1_000);
    expect([world.copy('c1', 'omni'), world.copy('c2', 'omni')]).toEqual(['1', '2']);
    const calls = await world.during(world.target('c1'), 30 * minutes);
    expect(calls.every(({ resource }) => resource?.plural === 'namespaces')).toBe(true);

    world.serves = () => true;
    await world.engine.shardsChanged();
    await world.clock.advance(1_000);
    expect([world.copy('c1', 'omni'), world.copy('c2', 'omni')]).toEqual(['2', '2']);
  });

  it('has given up a cluster once the passes under way have ended, the ones without an answer after 8 s', async () => {
    await using world = new EngineWorld();
    world.target('c1');
    await world.start('c1');
    world.target('c1').fault = ({ verb }) => (verb === 'create' ? { answerDelayMs: 1e9 } : undefined);
    world.annotate('omni', 'c1', '1');
    await world.clock.advance(500);
    world.serves = () => false;
    let ended = false;
    const givingUp = world.engine.shardsChanged().finally(() => {
      ended = true;
    });
    await world.clock.advance(7_000);
    expect(ended).toBe(false);
    await world.clock.advance(1_100);
    await givingUp;
  });

  it('reports nothing about a copy that another replica reports', async () => {
    await using world = new EngineWorld();
    const api = world.target('c1');
    world.annotate('omni', 'c1', '1');
    api.put<PayloadObject>(configMaps, { metadata: { namespace: 'demo', name: 'omni' }, data: {} });
    await world.start('c1');
    expect(world.reporter.counts()).toEqual(new Map([['Unowned', 1]]));
    world.serves = () => false;
    await world.engine.shardsChanged();
    expect(world.reporter.counts()).toEqual(new Map());
    expect(world.told.map(({ reason }) => reason)).toEqual(['Unowned']);
  });
});

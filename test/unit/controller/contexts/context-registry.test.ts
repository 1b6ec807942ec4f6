import { afterEach, describe, expect, it } from 'vitest';
import { ContextRegistry } from '../../../../controller/contexts/context-registry.ts';
import { KeptState } from '../../../../controller/kept/kept-state.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { namespaces } from '../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { entryOf } from '../engine-world.ts';

const clock = new ManualClock();
let stop = new AbortController();

afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** A cluster with the namespaces of `tenants`. */
function aCluster(): FakeApi {
  const api = new FakeApi(clock, 'https://c1.example:6443');
  for (const name of ['other', 'kube-system', 'default', 'one', 'two']) {
    api.put(namespaces, { metadata: { name } });
  }
  return api;
}

const admin = entryOf('admin', { at: 'c1' });
/** Tenants may read their own namespace alone. */
const tenants = [
  entryOf('one', { at: 'c1', namespace: 'one' }),
  entryOf('two', { at: 'c1', namespace: 'two' }),
];

/** One process with these contexts; those of `down` do not answer. */
class Replica {
  readonly down: Set<string>;
  readonly state = new KeptState(() => undefined);
  readonly registry: ContextRegistry;

  constructor(api: FakeApi, ...down: readonly string[]) {
    this.down = new Set(down);
    this.registry = new ContextRegistry({
      source: { place: 'https://source.example:6443', evidence: { kubeSystemUid: 'uid-of-the-source' } },
      sourceNamespaceUid: () => Promise.resolve(undefined),
      learntClusters: this.state.learntClusters,
      connect: ({ fingerprint: context }) => {
        const connection = api.connection();
        connection.fault = ({ name }) => {
          if (this.down.has(context)) {
            return { before: new TransportError('ConnectionRefused', false, '') };
          }
          return context !== 'admin' && name === 'kube-system'
            ? { before: new ApiError(403, 'Forbidden') }
            : undefined;
        };
        return connection;
      },
      clock,
      random: () => 0.5,
      logger: silentLogger,
      onChange: () => undefined,
      signal: stop.signal,
    });
  }

  async start(...entries: Parameters<ContextRegistry['apply']>[0]): Promise<this> {
    this.registry.apply(entries);
    await clock.advance(20_000);
    return this;
  }

  /** Reads what the other one has written. */
  async read(other: Replica): Promise<this> {
    this.state.take(other.state.format() ?? '{}', () => true);
    await clock.advance(1_000);
    return this;
  }

  clusters(...contexts: readonly string[]): readonly (string | undefined)[] {
    return contexts.map((name) => this.registry.catalog.contexts.get(name)?.cluster);
  }
}

describe('replicas that reach different contexts of one cluster', () => {
  it('know it by one identity once the one that knows its uid has recorded it', async () => {
    const api = aCluster();
    const uid = api.peek(namespaces, undefined, 'kube-system')?.metadata.uid;
    const first = await new Replica(api).start(admin, ...tenants);
    expect(first.clusters('one', 'two')).toEqual([uid, uid]);
    const second = await new Replica(api, 'admin').start(admin, ...tenants);
    await second.read(first);
    expect(second.clusters('one', 'two')).toEqual([uid, uid]);
    expect([...second.registry.linksByCluster.keys()]).toEqual([uid]);
    const later = await new Replica(api, 'admin', 'one').read(second);
    expect((await later.start(admin, ...tenants)).clusters('two')).toEqual([uid]);
  });

  it('know it by one identity where none may read its uid', async () => {
    const api = aCluster();
    const first = await new Replica(api).start(...tenants);
    const replicas = [first];
    for (const down of ['one', 'two']) {
      const other = await new Replica(api, down).start(...tenants);
      replicas.push(await other.read(first));
    }
    const known = replicas.flatMap(({ registry }) => [...registry.linksByCluster.keys()]);
    expect(new Set(known).size).toBe(1);
  });

  it('write nothing where every context says who its cluster is', async () => {
    const first = await new Replica(aCluster()).start(admin);
    expect(first.state.format()).toBeUndefined();
  });
});

it('what a cluster shows counts for more than what was learnt, and two clusters never have one name', async () => {
  const api = aCluster();
  const uid = api.peek(namespaces, undefined, 'kube-system')?.metadata.uid ?? '';
  const one = api.peek(namespaces, undefined, 'one')?.metadata.uid ?? '';
  const replica = new Replica(api);
  replica.state.learntClusters.learn(one, 'another');
  await replica.start(admin, ...tenants);
  expect(replica.clusters('one')).toEqual([uid]);

  const apart = new Replica(api);
  apart.state.learntClusters.learn(one, uid);
  await apart.start(admin, entryOf('one', { at: 'c2', namespace: 'one' }));
  expect(apart.clusters('admin', 'one')).toEqual([uid, `namespace:${one}`]);
});

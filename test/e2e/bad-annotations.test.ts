import { beforeAll, expect, test } from 'vitest';
import { annotate, create, type Manifest, setData } from '../harness/kubectl.ts';
import { type MarkerWay, processed } from '../harness/processed.ts';
import {
  appears,
  disappears,
  eventAbout,
  find,
  type Plural,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';

/** No webhook stands before these controllers: whatever is annotated reaches them. */
const stage = useStage({ targets: 2, users: [{ name: 'narrow' }] });
const marker: MarkerWay = { context: 'good', target: 1, namespace: 'demo' };

beforeAll(async () => {
  const here = stage();
  const [first, second] = [here.target(1), here.target(2)];
  await here.createNamespace('demo');
  await here.createNamespace('elsewhere');
  await here.setContexts([
    { name: 'good', cluster: first },
    { name: 'other', cluster: second },
    { name: 'twin', cluster: second },
    { name: 'twin-spelled', cluster: second, server: `HTTPS://127.0.0.1:${second.port}/` },
    {
      name: 'twin-address',
      cluster: second,
      server: `https://localhost:${second.port}`,
      namespace: 'elsewhere',
    },
    { name: 'home', cluster: here.source },
    {
      name: 'home-address',
      cluster: here.source,
      server: `https://localhost:${here.source.port}`,
      namespace: 'elsewhere',
    },
    {
      name: 'home-narrow',
      cluster: here.source,
      server: `https://localhost:${here.source.port}`,
      namespace: 'elsewhere',
      user: { token: here.source.userToken('narrow') },
    },
    { name: 'system', cluster: second, namespace: 'kube-public' },
  ]);
  await letNarrowUserWrite(here.source, 'elsewhere');
});

interface Case {
  readonly what: string;
  readonly list: string;
  /** Parts of the Event's message. */
  readonly says: readonly string[];
  /** Whether the list still gets a copy to the cluster of `good`, and keeps a standing one of `other` up to date. */
  readonly good: 'served' | 'left';
  readonly other: 'served' | 'updated' | 'left';
}

const cases: readonly Case[] = [
  {
    what: 'an unknown context',
    list: 'good,othr',
    says: ['"othr" is unknown', 'did you mean "other"'],
    good: 'served',
    other: 'left',
  },
  {
    what: 'two contexts with one URL',
    list: 'good,other,twin',
    says: ['"other" and "twin" are the same cluster'],
    good: 'served',
    other: 'updated',
  },
  {
    what: 'another spelling of the URL',
    list: 'twin-spelled,other,good',
    says: ['"twin-spelled" and "other" are the same cluster'],
    good: 'served',
    other: 'updated',
  },
  {
    what: 'another address of one cluster',
    list: 'good,other,twin-address',
    says: ['"other" and "twin-address" are the same cluster'],
    good: 'served',
    other: 'updated',
  },
  {
    what: 'the source cluster',
    list: 'good,home',
    says: ['"home" is the cluster that this object lives in'],
    good: 'served',
    other: 'left',
  },
  {
    what: 'another address of the source cluster',
    list: 'good,home-address',
    says: ['"home-address" is the cluster that this object lives in'],
    good: 'served',
    other: 'left',
  },
  {
    what: 'the source cluster through a user who sees one namespace of it',
    list: 'good,home-narrow',
    says: ['"home-narrow" is the cluster that this object lives in'],
    good: 'served',
    other: 'left',
  },
  {
    what: 'a namespace of Kubernetes itself',
    list: 'good,system',
    says: ['"system"', '"kube-public"'],
    good: 'served',
    other: 'left',
  },
  { what: 'no name at all', list: '', says: ['names no context'], good: 'left', other: 'left' },
  { what: 'nothing but a comma', list: ',', says: ['names no context'], good: 'left', other: 'left' },
  {
    what: 'an empty entry',
    list: 'good,,other',
    says: ['empty entry'],
    good: 'served',
    other: 'served',
  },
  {
    what: 'several mistakes at once',
    list: 'nowhere,home,other,twin,good',
    says: ['"nowhere" is unknown', '"home" is the cluster', '"other" and "twin"'],
    good: 'served',
    other: 'updated',
  },
];

test.each(cases.map((one) => [one.what, one] as const))(
  '%s in a list: the rest of it is served, and nothing else is done',
  async (_what, { list, says, good, other }) => {
    const here = stage();
    const [source, first, second] = [here.source, here.target(1), here.target(2)];
    const id = `case-${cases.findIndex((one) => one.list === list)}`;
    const [standing, fresh] = [`${id}-standing`, `${id}-fresh`];
    const controller = await here.startController();
    await create(source, configMap(standing, 'good,other'));
    const before = {
      first: await appears(first, 'configmaps', 'demo', standing),
      second: await appears(second, 'configmaps', 'demo', standing),
    };

    await annotate(source, 'demo', `configmap/${standing}`, list);
    await setData(source, 'demo', `configmap/${standing}`, { value: 'new' });
    await create(source, configMap(fresh, list));
    const sources = {
      standing: await find(source, 'configmaps', 'demo', standing),
      fresh: await find(source, 'configmaps', 'demo', fresh),
    };

    for (const name of [standing, fresh]) {
      await eventAbout(source, 'demo', name, 'InvalidSyncContexts', ({ type, message }) => {
        expect(type).toBe('Warning');
        for (const part of says) {
          expect(message).toContain(part);
        }
      });
    }
    await processed(here, controller, marker);

    expect(await find(first, 'configmaps', 'demo', standing)).toMatchObject({
      metadata: { uid: before.first.metadata.uid },
      data: { value: good === 'served' ? 'new' : 'old' },
    });
    expect(await find(second, 'configmaps', 'demo', standing)).toMatchObject({
      metadata: { uid: before.second.metadata.uid },
      data: { value: other === 'left' ? 'old' : 'new' },
    });
    expect((await find(first, 'configmaps', 'demo', fresh))?.data).toEqual(
      good === 'served' ? { value: 'old' } : undefined,
    );
    expect((await find(second, 'configmaps', 'demo', fresh))?.data).toEqual(
      other === 'served' ? { value: 'old' } : undefined,
    );
    expect(await find(source, 'configmaps', 'demo', standing)).toEqual(sources.standing);
    expect(await find(source, 'configmaps', 'demo', fresh)).toEqual(sources.fresh);
    expect(await namesIn(source, 'elsewhere')).toEqual([]);
    expect(await namesIn(second, 'elsewhere')).toEqual([]);
    expect(await namesIn(second, 'kube-public')).not.toContain(fresh);
  },
);

test('a list that is corrected is acted upon', async () => {
  const here = stage();
  const controller = await here.startController();
  await create(here.source, configMap('mended', 'good,other'));
  const copy = await appears(here.target(2), 'configmaps', 'demo', 'mended');
  await annotate(here.source, 'demo', 'configmap/mended', 'good,nowhere');
  await eventAbout(here.source, 'demo', 'mended', 'InvalidSyncContexts');
  await processed(here, controller, marker);
  expect(await find(here.target(2), 'configmaps', 'demo', 'mended')).toEqual(copy);

  await annotate(here.source, 'demo', 'configmap/mended', 'good');
  await disappears(here.target(2), 'configmaps', 'demo', 'mended');
  await appears(here.target(1), 'configmaps', 'demo', 'mended');
  await eventAbout(here.source, 'demo', 'mended', 'Recovered');
});

test('objects that must stay where they are do not travel, whatever their annotation says', async () => {
  const here = stage();
  const { source } = here;
  await here.createNamespace('context-syncer');
  const controller = await here.startController();
  const at = (namespace: string, name: string): Manifest['metadata'] => ({
    name,
    namespace,
    annotations: { [syncContexts]: 'good' },
  });
  const origin = JSON.stringify({ namespace: 'demo', name: 'original', uid: '1', resourceVersion: '1' });
  const staying: readonly [Manifest, string][] = [
    [{ kind: 'ConfigMap', metadata: at('kube-system', 'system') }, 'InvalidSyncContexts'],
    [{ kind: 'Secret', metadata: at('context-syncer', 'contexts') }, 'InvalidSyncContexts'],
    [
      {
        kind: 'ConfigMap',
        metadata: {
          ...at('demo', 'copy'),
          annotations: { [syncContexts]: 'good', 'kubed.appscode.com/origin': origin },
        },
      },
      'InvalidSyncContexts',
    ],
    [{ kind: 'Secret', metadata: at('demo', 'release'), type: 'helm.sh/release.v1' }, 'SpecialSecret'],
    [
      { kind: 'Secret', metadata: at('demo', 'bootstrap'), type: 'bootstrap.kubernetes.io/token' },
      'SpecialSecret',
    ],
    [
      {
        kind: 'Secret',
        metadata: {
          ...at('demo', 'account'),
          annotations: { [syncContexts]: 'good', 'kubernetes.io/service-account.name': 'default' },
        },
        type: 'kubernetes.io/service-account-token',
      },
      'SpecialSecret',
    ],
  ];
  for (const [manifest] of staying) {
    await create(source, manifest);
  }
  for (const [{ metadata }, reason] of staying) {
    await eventAbout(source, metadata.namespace, metadata.name, reason);
  }
  await processed(here, controller, marker);
  for (const [{ kind, metadata }] of staying) {
    const plural: Plural = kind === 'ConfigMap' ? 'configmaps' : 'secrets';
    expect(await find(here.target(1), plural, metadata.namespace, metadata.name)).toBeUndefined();
  }
});

function configMap(name: string, list: string): Manifest {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace: 'demo', annotations: { [syncContexts]: list } },
    data: { value: 'old' },
  };
}

/** Names of the ConfigMaps of a namespace. */
async function namesIn(place: ControlPlane, namespace: string): Promise<readonly string[]> {
  const { body } = await place.request<{ items: readonly { metadata: { name: string } }[] }>(
    'GET',
    `/api/v1/namespaces/${namespace}/configmaps`,
  );
  return body.items.map(({ metadata }) => metadata.name);
}

/** The rights that the documentation asks for in one namespace, and nothing beyond it. */
async function letNarrowUserWrite(place: ControlPlane, namespace: string): Promise<void> {
  const group = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const verbs = ['get', 'list', 'watch', 'create', 'update', 'delete'];
  await place.request('POST', `${group}/roles`, {
    metadata: { name: 'narrow' },
    rules: [
      { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
    ],
  });
  await place.request('POST', `${group}/rolebindings`, {
    metadata: { name: 'narrow' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'narrow' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'narrow' }],
  });
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { annotate, create, remove, removeAnnotation, setData } from '../harness/kubectl.ts';
import { processed } from '../harness/processed.ts';
import { copyRights, grantIn, namespaceRights, type Rule, type Subject } from '../harness/rbac.ts';
import {
  appears,
  disappears,
  eventAbout,
  find,
  type Stage,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';
import { FaultProxy } from '../sandbox/network/fault-proxy.ts';
import type { ContextSpec } from '../sandbox/sandbox.ts';

const stage = useStage({
  targets: 2,
  users: ['powerless', 'reader', 'narrow', 'certain', 'nameless', 'roles'].map((name) => ({ name })),
});

const marker = { context: 'marker', target: 2, namespace: 'markers' } as const;

beforeAll(async () => {
  const here = stage();
  await here.createNamespace('markers');
  await here.createNamespace('context-syncer', [here.source]);
});

/** The contexts of a test, and one besides that shows that the controller has come past something. */
async function useContexts(here: Stage, contexts: readonly ContextSpec[]): Promise<void> {
  await here.setContexts([...contexts, { name: marker.context, cluster: here.target(marker.target) }]);
}

function user(name: string): Subject {
  return { kind: 'User', name };
}

async function annotated(here: Stage, namespace: string, name: string, list: string): Promise<void> {
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: { name, namespace, annotations: { [syncContexts]: list } },
    data: { leave: 'no' },
  });
}

test.each<[who: string, before: readonly Rule[], missing: Rule, message: string]>([
  [
    'powerless',
    [],
    copyRights,
    'The credentials of context "powerless" may not list and watch ConfigMaps; grant get, list, watch, create, update and delete in namespace "powerless" at least.',
  ],
  [
    'reader',
    [{ ...copyRights, verbs: ['get', 'list', 'watch'] }],
    { ...copyRights, verbs: ['create'] },
    'The cluster of context "reader" refuses to let ConfigMap reader/omni be written (403 Forbidden). Grant the context\'s user get, list, watch, create, update and delete on ConfigMaps there, or see what its quotas and admission webhooks object to.',
  ],
])(
  'rights that are missing for a %s context are reported, and the copy follows once they are granted',
  async (who, before, missing, message) => {
    const here = stage();
    const target = here.target(1);
    await here.createNamespace(who);
    await grantIn(target, who, 'before', user(who), [namespaceRights, ...before]);
    await useContexts(here, [
      { name: who, cluster: target, namespace: who, user: { token: target.userToken(who) } },
    ]);
    await here.startController();
    await annotated(here, who, 'omni', `${who},marker`);

    await appears(here.target(2), 'configmaps', who, 'omni');
    const event = await eventAbout(here.source, who, 'omni', 'TargetForbidden');
    expect(event).toMatchObject({ type: 'Warning', message });

    await grantIn(target, who, 'after', user(who), [missing]);
    await appears(target, 'configmaps', who, 'omni');
    await eventAbout(here.source, who, 'omni', 'Recovered');
  },
);

test('a Role in one namespace is enough for a context of that namespace, from the first copy to the last', async () => {
  const here = stage();
  const target = here.target(1);
  const example = await readFile(join('manifests', 'examples', 'target-namespaced.yaml'), 'utf8');
  const namespace = /^ {2}namespace: (\S+)$/m.exec(example)?.[1] ?? '';
  await here.createNamespace(namespace);
  await target.kubectl(['apply', '-f', '-'], { stdin: example });
  const token = await target.serviceAccountToken(namespace, 'context-syncer');
  await useContexts(here, [{ name: 'namespaced', cluster: target, namespace, user: { token } }]);
  const controller = await here.startController();

  // The source's own namespace is another: it plays no part on the target.
  await here.createNamespace('elsewhere', [here.source]);
  const metadata = { name: 'omni', namespace: 'elsewhere', annotations: { [syncContexts]: 'namespaced' } };
  await create(here.source, { kind: 'ConfigMap', metadata, data: { leave: 'no' } });
  await create(here.source, { kind: 'Secret', metadata, stringData: { leave: 'no' } });
  const copy = await appears(target, 'configmaps', namespace, 'omni');
  const secret = await appears(target, 'secrets', namespace, 'omni');

  await setData(here.source, 'elsewhere', 'configmap/omni', { leave: 'yes' });
  await appears(target, 'configmaps', namespace, 'omni', ({ data, metadata: { uid } }) => {
    expect(data).toEqual({ leave: 'yes' });
    expect(uid).toBe(copy.metadata.uid);
  });

  await setData(target, namespace, 'configmap/omni', { leave: 'spoilt' });
  await appears(target, 'configmaps', namespace, 'omni', ({ data }) => {
    expect(data).toEqual({ leave: 'yes' });
  });
  await remove(target, namespace, 'secret/omni');
  await appears(target, 'secrets', namespace, 'omni', ({ metadata: { uid } }) => {
    expect(uid).not.toBe(secret.metadata.uid);
  });

  await controller.kill();
  await remove(here.source, 'elsewhere', 'configmap/omni');
  await here.startController();
  await disappears(target, 'configmaps', namespace, 'omni');
  await removeAnnotation(here.source, 'elsewhere', 'secret/omni');
  await disappears(target, 'secrets', namespace, 'omni');
});

test('an orphan is found after a restart in a namespace that nobody claims any more, with rights by Roles alone', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const places = ['roles-kept', 'roles-left'];
  for (const place of places) {
    await here.createNamespace(place);
    await grantIn(target, place, 'copies', user('roles'), [copyRights]);
  }
  await grantIn(target, 'default', 'identity', user('roles'), [namespaceRights]);
  await useContexts(here, [{ name: 'roles', cluster: target, user: { token: target.userToken('roles') } }]);
  const first = await here.startController();
  for (const place of places) {
    await annotated(here, place, 'omni', 'roles');
    await appears(target, 'configmaps', place, 'omni');
  }
  await appears(source, 'configmaps', 'context-syncer', 'context-syncer-catalog', ({ data }) => {
    expect(data?.['state.json']).toContain('roles-left');
  });
  await first.kill();
  await remove(source, 'roles-left', 'configmap/omni');

  await here.startController();
  await disappears(target, 'configmaps', 'roles-left', 'omni');
  expect(await find(target, 'configmaps', 'roles-kept', 'omni')).toBeDefined();
});

describe('a cluster that is recognised by the uid of a namespace alone', () => {
  const namespace = 'by-namespace';
  const [certain, narrow, myself] = ['certain', 'narrow', 'myself'];
  const rules = [copyRights, namespaceRights];

  async function prepare(here: Stage, place: ControlPlane): Promise<void> {
    await here.createNamespace(namespace, [place]);
    await grantIn(place, namespace, 'narrow', user('narrow'), rules);
    await grantIn(place, namespace, 'certain', user('certain'), rules);
  }

  test('is one cluster under two addresses', async () => {
    const here = stage();
    const target = here.target(1);
    await using alias = await FaultProxy.start(target, '127.0.0.2');
    await prepare(here, target);
    await here.createNamespace(namespace, [here.source, here.target(2)]);
    await useContexts(here, [
      { name: certain, cluster: target, namespace, user: { token: target.userToken('certain') } },
      {
        name: narrow,
        cluster: target,
        server: alias.url,
        namespace,
        user: { token: target.userToken('narrow') },
      },
    ]);
    const controller = await here.startController();
    await annotated(here, namespace, 'twice', `${certain},${narrow},marker`);

    const event = await eventAbout(here.source, namespace, 'twice', 'InvalidSyncContexts');
    expect(event.message).toBe(
      `Contexts "${certain}" and "${narrow}" are the same cluster (${target.url}); keep one of them.`,
    );
    await appears(here.target(2), 'configmaps', namespace, 'twice');
    await processed(here, controller, marker);
    expect(await find(target, 'configmaps', namespace, 'twice')).toBeUndefined();

    await annotate(here.source, namespace, 'configmap/twice', narrow);
    await appears(target, 'configmaps', namespace, 'twice');
  });

  test('is never written when it is the source', async () => {
    const here = stage();
    const { source } = here;
    const home = `${namespace}-home`;
    await using alias = await FaultProxy.start(source, '127.0.0.2');
    await here.createNamespace(home, [source, here.target(2)]);
    await grantIn(source, home, 'narrow', user('narrow'), rules);
    const token = source.userToken('narrow');
    await useContexts(here, [
      { name: myself, cluster: source, server: alias.url, namespace: home, user: { token } },
    ]);
    const controller = await here.startController();
    await annotated(here, home, 'omni', `${myself},marker`);
    const omni = await find(source, 'configmaps', home, 'omni');
    await here.createNamespace(`${home}-other`, [source, here.target(2)]);
    await annotated(here, `${home}-other`, 'elsewhere', `${myself},marker`);

    for (const [at, name] of [
      [home, 'omni'],
      [`${home}-other`, 'elsewhere'],
    ] as const) {
      const event = await eventAbout(source, at, name, 'InvalidSyncContexts');
      expect(event.message).toBe(
        `Context "${myself}" is the cluster that this object lives in, which is never a target; remove it from the list.`,
      );
      await appears(here.target(2), 'configmaps', at, name);
    }
    await processed(here, controller, marker);
    expect(await find(source, 'configmaps', home, 'omni')).toEqual(omni);
    expect(await find(source, 'configmaps', home, 'elsewhere')).toBeUndefined();

    await removeAnnotation(source, home, 'configmap/omni');
    await disappears(here.target(2), 'configmaps', home, 'omni');
    await processed(here, controller, marker);
    expect((await find(source, 'configmaps', home, 'omni'))?.metadata.uid).toBe(omni?.metadata.uid);
  });
});

test('a context that may read nothing of who its cluster is waits for the right to: it could be the source', async () => {
  const here = stage();
  const { source } = here;
  const [home, name] = ['nameless-home', 'nameless'];
  await using alias = await FaultProxy.start(source, '127.0.0.2');
  await here.createNamespace(home, [source]);
  await here.createNamespace(name);
  await grantIn(source, home, 'copies', user(name), [copyRights]);
  const token = source.userToken(name);
  await useContexts(here, [{ name, cluster: source, server: alias.url, namespace: home, user: { token } }]);
  const controller = await here.startController();
  const metadata = { name: 'omni', namespace: name, annotations: { [syncContexts]: `${name},marker` } };
  await create(source, { kind: 'Secret', metadata, stringData: { leave: 'no' } });

  const unavailable = await eventAbout(source, name, 'omni', 'ContextUnavailable');
  expect(unavailable.message).toBe(
    `Context "${name}" cannot be used: its API server does not say which cluster it is: grant get on namespace "kube-system" or "${home}".`,
  );
  await appears(here.target(2), 'secrets', name, 'omni');

  await grantIn(source, home, 'namespace', user(name), [namespaceRights]);
  const refused = await eventAbout(source, name, 'omni', 'InvalidSyncContexts');
  expect(refused.message).toContain('which is never a target');
  await processed(here, controller, marker);
  expect(await find(source, 'secrets', home, 'omni')).toBeUndefined();
});

test('the controller needs no right on the source cluster but those in the manifests', async () => {
  const here = stage();
  const { source } = here;
  await here.createNamespace('sources');
  const account = await readFile(join('manifests', 'base', 'controller-account.yaml'), 'utf8');
  await source.kubectl(['apply', '-n', 'context-syncer', '-f', '-'], { stdin: account });
  const token = await source.serviceAccountToken('context-syncer', 'context-syncer-controller');
  const sourceFile = join(here.sandbox.folder, 'source.yaml');
  await writeFile(
    sourceFile,
    here.sandbox.contextsKubeconfig([{ name: 'source', cluster: source, user: { token } }]),
  );
  await source.request('POST', '/api/v1/namespaces/context-syncer/secrets', {
    metadata: { name: 'contexts' },
    data: {
      kubeconfig: Buffer.from(
        here.sandbox.contextsKubeconfig([{ name: 'context-1', cluster: here.target(1) }]),
      ).toString('base64'),
    },
  });
  const controller = here.launch([
    'controller',
    '--cluster-name=hub',
    `--kubeconfig=${sourceFile}`,
    '--contexts-secret=context-syncer/contexts',
    '--health-address=127.0.0.1:0',
    '--metrics-address=127.0.0.1:0',
  ]);
  await controller.ready();
  const metadata = {
    name: 'omni',
    namespace: 'sources',
    annotations: { [syncContexts]: 'context-1,unknown' },
  };
  await create(source, { kind: 'ConfigMap', metadata, data: { leave: 'no' } });
  await create(source, { kind: 'Secret', metadata, stringData: { leave: 'no' } });
  await appears(here.target(1), 'configmaps', 'sources', 'omni');
  await appears(here.target(1), 'secrets', 'sources', 'omni');
  await eventAbout(source, 'sources', 'omni', 'InvalidSyncContexts');
  await setData(source, 'sources', 'configmap/omni', { leave: 'yes' });
  await appears(here.target(1), 'configmaps', 'sources', 'omni', ({ data }) => {
    expect(data).toEqual({ leave: 'yes' });
  });
  await appears(source, 'secrets', 'context-syncer', 'context-syncer-stamp-key');
  await appears(source, 'configmaps', 'context-syncer', 'context-syncer-catalog');
  const { status } = await source.request(
    'GET',
    '/apis/coordination.k8s.io/v1/namespaces/context-syncer/leases/context-syncer-controller',
  );
  expect(status).toBe(200);
  expect(await controller.stop()).toEqual({ code: 0, signal: null });
  expect(controller.output).not.toContain('Forbidden');
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { create, remove, setData } from '../harness/kubectl.ts';
import { copyRights, grantEverywhere, grantIn, namespaceRights, type Subject } from '../harness/rbac.ts';
import {
  appears,
  disappears,
  eventAbout,
  type Stage,
  type StoredObject,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import { ConnectProxy } from '../sandbox/network/connect-proxy.ts';
import type { ContextSpec } from '../sandbox/sandbox.ts';

const stage = useStage({
  targets: 1,
  users: [{ name: 'impersonator' }],
});

/** What a kubeconfig says of a context besides its name, cluster and namespace. */
type Way = Omit<ContextSpec, 'name' | 'cluster' | 'namespace'>;

/** Writes a file beside the contexts kubeconfig and yields its name, which is relative to that. */
async function fileBeside(here: Stage, name: string, content: string): Promise<string> {
  await writeFile(join(here.sandbox.folder, name), content, { mode: 0o600 });
  return name;
}

/** The one context there is, named as the namespace that it leads to: the sources of other tests do not know it. */
async function useContext(here: Stage, namespace: string, way: Way): Promise<void> {
  await here.setContexts([{ name: namespace, cluster: here.target(1), namespace, ...way }]);
}

/** Nobody but the subject may write into the namespace, so that a copy there proves who wrote it. */
async function namespaceOf(here: Stage, namespace: string, subject: Subject): Promise<void> {
  await here.createNamespace(namespace);
  await grantIn(here.target(1), namespace, 'copies', subject, [copyRights, namespaceRights]);
}

/** Takes objects of both kinds through their lives through the context; yields the ConfigMap's copy as it was last. */
async function propagated(here: Stage, namespace: string): Promise<StoredObject> {
  const metadata = { name: 'omni', namespace, annotations: { [syncContexts]: namespace } };
  await create(here.source, { kind: 'ConfigMap', metadata, data: { leave: 'no' } });
  await create(here.source, { kind: 'Secret', metadata, stringData: { leave: 'no' } });
  await appears(here.target(1), 'configmaps', namespace, 'omni');
  await appears(here.target(1), 'secrets', namespace, 'omni');
  await setData(here.source, namespace, 'configmap/omni', { leave: 'yes' });
  const copy = await appears(here.target(1), 'configmaps', namespace, 'omni', ({ data }) => {
    expect(data).toEqual({ leave: 'yes' });
  });
  await remove(here.source, namespace, 'configmap/omni');
  await disappears(here.target(1), 'configmaps', namespace, 'omni');
  return copy;
}

const embedded = 'certificate-authority-data';

test('a context may prove who it is by a client certificate, a key and an authority in files', async () => {
  const here = stage();
  const namespace = 'files';
  const { certPem, keyPem } = await here.target(1).clientCertificate('filed');
  await namespaceOf(here, namespace, { kind: 'User', name: 'filed' });
  await useContext(here, namespace, {
    clusterFields: {
      [embedded]: undefined,
      'certificate-authority': await fileBeside(here, 'target-ca.crt', here.target(1).caPem),
    },
    userFields: {
      token: undefined,
      'client-certificate': await fileBeside(here, 'client.crt', certPem),
      'client-key': await fileBeside(here, 'client.key', keyPem),
    },
  });
  await here.startController();
  expect(await propagated(here, namespace)).toMatchObject({ data: { leave: 'yes' } });
});

test('a context may act as another user, by a group of that one', async () => {
  const here = stage();
  const namespace = 'impersonated';
  await grantEverywhere(here.target(1), 'impersonator', { kind: 'User', name: 'impersonator' }, [
    { apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] },
  ]);
  await namespaceOf(here, namespace, { kind: 'Group', name: 'acted-in' });
  await useContext(here, namespace, {
    user: { token: here.target(1).userToken('impersonator') },
    userFields: { as: 'nobody', 'as-groups': ['others', 'acted-in'] },
  });
  await here.startController();
  expect(await propagated(here, namespace)).toMatchObject({ data: { leave: 'yes' } });
});

test('a token file that is replaced while running is read again when the old token is refused', async () => {
  const here = stage();
  const [target, namespace] = [here.target(1), 'rotated'];
  await namespaceOf(here, namespace, { kind: 'ServiceAccount', namespace, name: 'syncer' });
  const old = await target.serviceAccountToken(namespace, 'syncer');
  await useContext(here, namespace, { user: { tokenFile: await fileBeside(here, 'rotating', old) } });
  await here.startController();
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: { name: 'omni', namespace, annotations: { [syncContexts]: namespace } },
    data: { round: 'first' },
  });
  const copy = await appears(target, 'configmaps', namespace, 'omni');

  await target.request('DELETE', `/api/v1/namespaces/${namespace}/serviceaccounts/syncer`);
  await fileBeside(here, 'rotating', await target.serviceAccountToken(namespace, 'syncer'));
  await eventually('the old token is refused', async () => {
    const { status } = await target.request('GET', `/api/v1/namespaces/${namespace}/configmaps`, undefined, {
      token: old,
      allowFailure: true,
    });
    expect(status).toBe(401);
  });

  await setData(here.source, namespace, 'configmap/omni', { round: 'second' });
  await appears(target, 'configmaps', namespace, 'omni', ({ data, metadata }) => {
    expect(data).toEqual({ round: 'second' });
    expect(metadata.uid).toBe(copy.metadata.uid);
  });
});

const untrusted =
  "its API server's certificate is not trusted; check certificate-authority-data and tls-server-name in the kubeconfig.";

test.each<[what: string, wrong: Way, right: Way]>([
  [
    'tls-server-name',
    { clusterFields: { 'tls-server-name': 'elsewhere.example' } },
    { clusterFields: { 'tls-server-name': 'kubernetes.default' } },
  ],
  [
    'insecure-skip-tls-verify',
    { clusterFields: { [embedded]: undefined } },
    { clusterFields: { [embedded]: undefined, 'insecure-skip-tls-verify': true } },
  ],
])('%s decides whether an API server is trusted', async (namespace, wrong, right) => {
  const here = stage();
  await here.createNamespace(namespace);
  await useContext(here, namespace, wrong);
  await here.startController();
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: { name: 'waiting', namespace, annotations: { [syncContexts]: namespace } },
  });
  const event = await eventAbout(here.source, namespace, 'waiting', 'ContextUnavailable');
  expect(event.message).toBe(`Context "${namespace}" cannot be used: ${untrusted}`);

  await useContext(here, namespace, right);
  await appears(here.target(1), 'configmaps', namespace, 'waiting');
  expect(await propagated(here, namespace)).toMatchObject({ data: { leave: 'yes' } });
});

test('a target is reached through its proxy-url alone', async () => {
  const here = stage();
  const namespace = 'proxied';
  await using proxy = await ConnectProxy.start();
  await here.createNamespace(namespace);
  // Nobody but the proxy knows this host; its port is the target's.
  const address = `kubernetes.default:${here.target(1).port}`;
  await useContext(here, namespace, {
    server: `https://${address}`,
    clusterFields: { 'proxy-url': proxy.url },
  });
  await here.startController();
  expect(await propagated(here, namespace)).toMatchObject({ data: { leave: 'yes' } });
  expect(new Set(proxy.targets)).toEqual(new Set([address]));
});

test('a credential file that is missing is named, and used once it is there', async () => {
  const here = stage();
  const namespace = 'late-file';
  await here.createNamespace(namespace);
  await useContext(here, namespace, { user: { tokenFile: 'late-token' } });
  await here.startController();
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: { name: 'waiting', namespace, annotations: { [syncContexts]: namespace } },
  });
  const event = await eventAbout(here.source, namespace, 'waiting', 'ContextUnavailable');
  expect(event.message).toBe(
    `Context "${namespace}" cannot be used: the token file ${join(here.sandbox.folder, 'late-token')} cannot be read (ENOENT).`,
  );

  await fileBeside(here, 'late-token', here.target(1).adminToken);
  await appears(here.target(1), 'configmaps', namespace, 'waiting');
});

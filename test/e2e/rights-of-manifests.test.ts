import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import {
  argumentsOf,
  baseFolder,
  configurationName,
  type Deployment,
  deploymentOf,
  example,
  installCertManagerKinds,
  objectOf,
  overlayFolder,
  ownNamespace,
  render,
} from '../harness/manifests.ts';
import { metric, scrape } from '../harness/metrics.ts';
import { metricsWithoutSource } from '../harness/monitoring.ts';
import { Pair } from '../harness/pair.ts';
import type { Program } from '../harness/program.ts';
import {
  type Account,
  auditPosition,
  describeRight,
  grantsOf,
  inexactRights,
  type Uses,
  usesOf,
} from '../harness/rights.ts';
import {
  appears,
  disappears,
  eventAbout,
  find,
  type Plural,
  type StoredEvent,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import { freePort } from '../sandbox/network/free-port.ts';
import type { ControlPlane } from '../sandbox/sandbox.ts';

const stage = useStage({ targets: 2, audit: true });

const controllerAccount: Account = { namespace: ownNamespace, name: 'context-syncer-controller' };
const webhookAccount: Account = { namespace: ownNamespace, name: 'context-syncer-webhook' };
/** As manifests/examples name them. */
const wideAccount: Account = { namespace: 'context-syncer', name: 'context-syncer' };
const boundAccount: Account = { namespace: 'demo-cluster-2', name: 'context-syncer' };

const webhookName = 'context-syncer-webhook';
const plurals: readonly Plural[] = ['configmaps', 'secrets'];
/** Two, so that what is granted in every namespace is used in more than one. */
const sourceNamespaces = ['demo', 'payments'];

beforeAll(async () => {
  const here = stage();
  const [wide, bound] = [here.target(1), here.target(2)];
  await Promise.all(sourceNamespaces.map((name) => here.createNamespace(name, [here.source, wide])));
  await here.createNamespace(boundAccount.namespace, [bound]);
  await applyText(wide, await example('target-cluster-wide.yaml'));
  await applyText(bound, await example('target-namespaced.yaml'));
  await here.source.kubectl(['apply', '-k', baseFolder]);
  await useLocalWebhook(here.source, await freePort());
  await applyText(
    here.source,
    await example('contexts-secret.yaml', {
      'https://cluster-1.example.com:6443': wide.url,
      'https://cluster-2.example.com:6443': bound.url,
      'CERTIFICATE-AUTHORITY-OF-CLUSTER-1': base64(wide.caPem),
      'CERTIFICATE-AUTHORITY-OF-CLUSTER-2': base64(bound.caPem),
      'TOKEN-OF-CLUSTER-1': await wide.serviceAccountToken(wideAccount.namespace, wideAccount.name),
      'TOKEN-OF-CLUSTER-2': await bound.serviceAccountToken(boundAccount.namespace, boundAccount.name),
    }),
  );
});

test("under the manifests' roles and with their arguments, both programs do all that they are for", async () => {
  const here = stage();
  const { source } = here;
  const deployments = await render(source, baseFolder);
  const webhook = await launchWebhook(deploymentOf(deployments, webhookName));
  const controllers = [await launchController(), await launchController()];
  await Promise.all([webhook, ...controllers].map((program) => program.ready()));

  const catalog = await appears(source, 'configmaps', ownNamespace, 'context-syncer-catalog', ({ data }) => {
    expect(data?.['catalog.json']).toMatch(/"context-1"[^]*"context-2"/);
    // Written again once every cluster has said who it is.
    expect(data?.['catalog.json']).not.toMatch(/"identified": false/);
  });
  await appears(source, 'secrets', ownNamespace, 'context-syncer-stamp-key');
  await appears(source, 'secrets', ownNamespace, 'context-syncer-webhook-ca', ({ data }) => {
    expect(data).toBeDefined();
  });

  for (const namespace of sourceNamespaces) {
    for (const plural of plurals) {
      await refusesUnknownContext(namespace, plural);
      await syncsOne(namespace, plural);
      await reportsWhatIsInTheWay(namespace, plural);
    }
  }

  await merge(source, 'configmaps', ownNamespace, 'context-syncer-catalog', { data: { 'catalog.json': '' } });
  await appears(source, 'configmaps', ownNamespace, 'context-syncer-catalog', ({ data }) => {
    expect(data?.['catalog.json']).toEqual(catalog.data?.['catalog.json']);
  });

  const exported = (await Promise.all([webhook, ...controllers].map(scrape))).join('\n');
  expect(await metricsWithoutSource(exported)).toEqual([]);

  // The one that leads gives the Lease back, and the other takes it over.
  const leader = await leaderOf(controllers);
  expect(await leader.stop()).toEqual({ code: 0, signal: null });
  const successor = await leaderOf(controllers.filter((one) => one !== leader));
  await successor.ready();
  await syncsOne('demo', 'configmaps');
  expect(await webhook.stop()).toEqual({ code: 0, signal: null });
  expect(await successor.stop()).toEqual({ code: 0, signal: null });
});

test('the controller used exactly the rights that it has', async () => {
  expect(await inexact(stage().source, controllerAccount)).toEqual([]);
});

test('with shards the controllers have more rights, and used exactly those', async () => {
  const { source } = stage();
  const overlay = overlayFolder('shards');
  // No webhook runs, and it is not what this is about.
  await source.kubectl(['delete', 'validatingwebhookconfiguration', configurationName]);
  const role = objectOf(await render(source, overlay), 'Role', 'context-syncer-controller');
  await applyText(source, JSON.stringify(role));
  const controllers = [await launchController(overlay), await launchController(overlay)];
  await eventually('they share the Leases out', async () => {
    const held = await Promise.all(
      controllers.map((controller) => metric(controller, 'leader_election_master_status')),
    );
    expect(held).toEqual([4, 4]);
  });
  await Promise.all(controllers.map((controller) => controller.ready()));
  await make(source, 'configmaps', 'demo', 'shared-out', {}, { [syncContexts]: 'context-1,context-2' });
  await appears(stage().target(1), 'configmaps', 'demo', 'shared-out');
  await appears(stage().target(2), 'configmaps', boundAccount.namespace, 'shared-out');
  for (const controller of controllers) {
    expect(await controller.stop()).toEqual({ code: 0, signal: null });
  }
  expect(await inexact(source, controllerAccount)).toEqual([]);
  await source.kubectl(['apply', '-k', overlay]);
});

test('the webhook used exactly the rights that it has', async () => {
  expect(await inexact(stage().source, webhookAccount)).toEqual([]);
});

test('a cluster-wide context used exactly the rights of the example', async () => {
  expect(await inexact(stage().target(1), wideAccount)).toEqual([]);
});

test('a namespaced context used exactly the rights of the example, and asked in vain only for wider ones', async () => {
  const bound = stage().target(2);
  const { allowed, forbidden } = await usesOf(bound, boundAccount);
  expect(forbidden.map(describeRight).toSorted()).toEqual([
    'get namespaces "kube-system" in kube-system',
    'list configmaps in all namespaces',
    'list secrets in all namespaces',
  ]);
  expect(inexactRights(await grantsOf(bound, boundAccount), { allowed, forbidden: [] })).toEqual([]);
});

test('with certificates from cert-manager the webhook has fewer rights, and used exactly those', async () => {
  const here = stage();
  const { source } = here;
  const overlay = overlayFolder('cert-manager');
  await installCertManagerKinds(source);
  // What stands there names a local address beside which no Service can be set.
  await source.kubectl(['delete', 'validatingwebhookconfiguration', configurationName]);
  await source.kubectl(['apply', '-k', overlay]);
  const before = await auditPosition(source);

  // What cert-manager does: files in the pod, and the CA in the configuration.
  const folder = join(here.sandbox.folder, 'certificate');
  const { certPem, keyPem } = await source.ca.serving({ dns: [], ip: ['127.0.0.1'] });
  await mkdir(folder);
  await writeFile(join(folder, 'tls.crt'), certPem);
  await writeFile(join(folder, 'tls.key'), keyPem, { mode: 0o600 });
  const webhook = await launchWebhook(deploymentOf(await render(source, overlay), webhookName), {
    values: { '--cert-dir': folder },
    caBundle: base64(source.caPem),
  });
  await webhook.ready();
  await refusesUnknownContext('demo', 'configmaps');

  // It is ready before it watches.
  await eventually('its rights are those that it uses', async () => {
    expect(await inexact(source, webhookAccount, before)).toEqual([]);
  });
});

test('with `namespace:` in a kustomization, both programs work in that namespace', async () => {
  const here = stage();
  await here.source.kubectl(['delete', 'validatingwebhookconfiguration', configurationName]);
  const pair = await Pair.start(here, [{ name: 'context-1', cluster: here.target(1) }], 'platform-sync');
  try {
    await refusesUnknownContext('demo', 'configmaps');
    await make(here.source, 'configmaps', 'demo', 'elsewhere', {}, { [syncContexts]: 'context-1' });
    await appears(here.target(1), 'configmaps', 'demo', 'elsewhere');
    await appears(here.source, 'secrets', 'platform-sync', 'context-syncer-webhook-ca', ({ data }) => {
      expect(data).toBeDefined();
    });
  } finally {
    await pair.end();
  }
});

async function inexact(place: ControlPlane, account: Account, since?: number): Promise<readonly string[]> {
  const uses: Uses = await usesOf(place, account, since);
  return inexactRights(await grantsOf(place, account), uses);
}

/** A controller with the arguments and settings of the Deployment, under the token of its ServiceAccount. */
async function launchController(folder = baseFolder): Promise<Program> {
  const here = stage();
  const objects = await render(here.source, folder);
  const deployment = deploymentOf(objects, 'context-syncer-controller');
  const settings = objects.find(
    ({ kind, metadata }) =>
      kind === 'ConfigMap' && metadata.name === deployment.spec.template.spec.volumes?.[0]?.configMap?.name,
  )?.data?.['controller.yaml'];
  const file = join(here.sandbox.folder, 'controller.yaml');
  await writeFile(file, settings ?? '');
  return here.launch([
    ...argumentsOf(deployment, {
      '--config': file,
      '--metrics-address': '127.0.0.1:0',
      '--health-address': '127.0.0.1:0',
    }),
    `--kubeconfig=${await kubeconfigOf(controllerAccount)}`,
  ]);
}

/** The same for a webhook; the API server is told where it listens. */
async function launchWebhook(
  deployment: Deployment,
  { values = {}, caBundle }: { values?: Readonly<Record<string, string>>; caBundle?: string } = {},
): Promise<Program> {
  const here = stage();
  const port = await freePort();
  await useLocalWebhook(here.source, port, caBundle);
  return here.launch([
    ...argumentsOf(deployment, {
      '--listen': `127.0.0.1:${port}`,
      '--serving-names': '127.0.0.1',
      '--metrics-address': '127.0.0.1:0',
      '--health-address': '127.0.0.1:0',
      ...values,
    }),
    `--kubeconfig=${await kubeconfigOf(webhookAccount)}`,
  ]);
}

/** No pods run here: a port of this machine takes the place of the Service. */
async function useLocalWebhook(place: ControlPlane, port: number, caBundle?: string): Promise<void> {
  const clientConfig = {
    url: `https://127.0.0.1:${port}/validate`,
    ...(caBundle === undefined ? {} : { caBundle }),
  };
  await place.request(
    'PATCH',
    `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${configurationName}`,
    [{ op: 'replace', path: '/webhooks/0/clientConfig', value: clientConfig }],
    { contentType: 'application/json-patch+json' },
  );
}

async function kubeconfigOf({ namespace, name }: Account): Promise<string> {
  const { source, sandbox } = stage();
  const token = await source.serviceAccountToken(namespace, name);
  const file = join(sandbox.folder, `${name}.kubeconfig`);
  const text = sandbox.contextsKubeconfig([{ name: 'own', cluster: source, user: { token } }]);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

async function leaderOf(controllers: readonly Program[]): Promise<Program> {
  return await eventually('one controller leads', async () => {
    for (const controller of controllers) {
      const metrics = await scrape(controller);
      if (/^leader_election_master_status\{.*\} 1$/m.test(metrics)) {
        return controller;
      }
    }
    throw new Error('none does');
  });
}

/** The webhook says no, in its own words: neither an outage nor a missing catalog looks so. */
async function refusesUnknownContext(namespace: string, plural: Plural): Promise<void> {
  await eventually('an unknown context is refused', async () => {
    const { status, body } = await stage().source.request<{ message?: string }>(
      'POST',
      pathOf(plural, namespace),
      { metadata: { name: 'mistaken', annotations: { [syncContexts]: 'no-such-context' } } },
      { allowFailure: true },
    );
    expect(status).toBe(422);
    expect(body.message).toContain('no-such-context');
  });
}

/** Create, update, repair and delete, through both contexts. */
async function syncsOne(namespace: string, plural: Plural): Promise<void> {
  const here = stage();
  const name = `settings-${namespace}`;
  const places = [
    { target: here.target(1), home: namespace },
    { target: here.target(2), home: boundAccount.namespace },
  ];
  const [first, second, drifted] = ['one', 'two', 'drifted'].map((value) => ({ key: base64(value) }));
  const copiesHave = async (data: unknown): Promise<void> => {
    await Promise.all(
      places.map(({ target, home }) =>
        appears(target, plural, home, name, (copy) => {
          expect(copy.data).toEqual(data);
        }),
      ),
    );
  };
  await make(here.source, plural, namespace, name, first, { [syncContexts]: 'context-1,context-2' });
  await copiesHave(first);
  await merge(here.source, plural, namespace, name, { data: second });
  await copiesHave(second);
  await Promise.all(places.map(({ target, home }) => merge(target, plural, home, name, { data: drifted })));
  await copiesHave(second);
  await here.source.request('DELETE', pathOf(plural, namespace, name));
  await Promise.all(places.map(({ target, home }) => disappears(target, plural, home, name)));
}

/** An object that is not ours stays, and an Event says so; said again, it is the same Event with a higher count. */
async function reportsWhatIsInTheWay(namespace: string, plural: Plural): Promise<void> {
  const here = stage();
  const name = `blocked-${namespace}-${plural}`;
  const foreign = { key: base64('not ours') };
  await make(here.target(1), plural, namespace, name, foreign);
  await make(here.target(2), plural, boundAccount.namespace, name, foreign);
  const list = { [syncContexts]: 'context-1,context-2' };
  await make(here.source, plural, namespace, name, { key: base64('ours') }, list);
  const told = async (check: (event: StoredEvent & { readonly count?: number }) => void): Promise<void> => {
    await eventAbout(here.source, namespace, name, 'Unowned', check);
  };
  await told(() => undefined);
  await merge(here.source, plural, namespace, name, { metadata: { annotations: { [syncContexts]: null } } });
  await merge(here.source, plural, namespace, name, { metadata: { annotations: list } });
  await told(({ count = 0 }) => {
    expect(count).toBeGreaterThan(1);
  });
  expect((await find(here.target(1), plural, namespace, name))?.data).toEqual(foreign);
}

async function make(
  place: ControlPlane,
  plural: Plural,
  namespace: string,
  name: string,
  data: unknown,
  annotations: Readonly<Record<string, string>> = {},
): Promise<void> {
  await place.request('POST', pathOf(plural, namespace), { metadata: { name, annotations }, data });
}

async function merge(
  place: ControlPlane,
  plural: Plural,
  namespace: string,
  name: string,
  patch: unknown,
): Promise<void> {
  await place.request('PATCH', pathOf(plural, namespace, name), patch, {
    contentType: 'application/merge-patch+json',
  });
}

async function applyText(place: ControlPlane, manifest: string): Promise<void> {
  await place.kubectl(['apply', '-f', '-'], { stdin: manifest });
}

function pathOf(plural: Plural, namespace: string, name?: string): string {
  return `/api/v1/namespaces/${namespace}/${plural}${name === undefined ? '' : `/${name}`}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

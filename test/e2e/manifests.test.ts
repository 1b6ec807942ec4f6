import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { allowedPlugins } from '../../controller/settings/allowed-plugins.ts';
import {
  argumentsOf,
  baseFolder,
  componentNames,
  configurationName,
  type Deployment,
  deploymentOf,
  deploymentsOf,
  installCertManagerKinds,
  installPrometheusKinds,
  type ManifestObject,
  manifestsFolder,
  overlayFolder,
  overlayNames,
  overlayWithComponent,
  ownNamespace,
  type PodSpec,
  render,
} from '../harness/manifests.ts';
import { property, trustedJson } from '../sandbox/json.ts';
import type { ControlPlane } from '../sandbox/sandbox.ts';
import { useSandbox } from '../sandbox/use-sandbox.ts';

/** Each of these has an API server of its own: nothing of the one before can make it look well. */
const kustomizations = [
  { name: 'base', folder: baseFolder },
  { name: 'fail-open', folder: overlayFolder('fail-open') },
  { name: 'cert-manager', folder: overlayFolder('cert-manager') },
].map((kustomization, index) => ({ ...kustomization, index }));

/** These add objects to the base, or change its arguments only: they are applied on top of it. */
const additions = ['cert-manager-switch', 'monitoring', 'shards'];

const sandbox = useSandbox({ targets: kustomizations.length - 1 });

function placeOf(index: number): ControlPlane {
  const place = [sandbox().source, ...sandbox().targets][index];
  if (place === undefined) {
    throw new Error(`the sandbox has no control plane ${index}`);
  }
  return place;
}

interface Configuration {
  readonly webhooks: readonly [
    {
      readonly failurePolicy: string;
      readonly rules: unknown;
      readonly matchConditions: unknown;
      readonly clientConfig: { readonly caBundle?: string };
    },
  ];
}

async function configurationOn(place: ControlPlane): Promise<Configuration> {
  const { stdout } = await place.kubectl([
    'get',
    'validatingwebhookconfiguration',
    configurationName,
    '--output=json',
  ]);
  return trustedJson<Configuration>(stdout);
}

async function patchConfiguration(place: ControlPlane, operations: readonly unknown[]): Promise<void> {
  await place.kubectl([
    'patch',
    'validatingwebhookconfiguration',
    configurationName,
    '--type=json',
    '--patch',
    JSON.stringify(operations),
  ]);
}

describe.each(kustomizations)('$name', ({ name, folder, index }) => {
  let objects: readonly ManifestObject[] = [];

  beforeAll(async () => {
    const place = placeOf(index);
    await installCertManagerKinds(place);
    objects = await render(place, folder);
  });

  test('is accepted without a warning; applied again it changes nothing, and keeps the caBundle', async () => {
    const place = placeOf(index);
    const first = await place.kubectl(['apply', '-k', folder]);
    expect(first.stderr).toBe('');
    expect(linesOf(first.stdout).filter((line) => !line.endsWith(' created'))).toEqual([]);
    expect(linesOf(first.stdout)).toHaveLength(objects.length);

    const caBundle = Buffer.from(place.caPem).toString('base64');
    await patchConfiguration(place, [
      { op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: caBundle },
    ]);
    const filled = name === 'cert-manager' ? undefined : await fillCaSecret(place);
    const before = await versionsOf(place, folder);
    expect(before).toHaveLength(objects.length);
    const second = await place.kubectl(['apply', '-k', folder]);
    expect(second.stderr).toBe('');
    expect(await versionsOf(place, folder)).toEqual(before);
    await place.kubectl(['apply', '-k', folder, '--server-side']);
    expect(await caSecretOf(place)).toEqual(filled);
    const { webhooks } = await configurationOn(place);
    expect(webhooks.map(({ clientConfig }) => clientConfig.caBundle)).toEqual([caBundle]);
  });

  test('every object has the recommended labels', () => {
    const unlabelled = objects.flatMap(({ kind, metadata }) =>
      ['name', 'part-of', 'version']
        .filter((label) => property(property(metadata, 'labels'), `app.kubernetes.io/${label}`) === undefined)
        .map((label) => `${kind} ${metadata.name}: ${label}`),
    );
    expect(unlabelled).toEqual([]);
    const components = objects.map(({ metadata }) =>
      property(property(metadata, 'labels'), 'app.kubernetes.io/component'),
    );
    expect(new Set(components)).toEqual(new Set(['controller', 'webhook', undefined]));
    for (const { spec } of deploymentsOf(objects)) {
      expect(Object.keys(spec.template.metadata.labels)).toContain('app.kubernetes.io/version');
    }
  });

  test("pods of its Deployments pass the namespace's Pod Security, and weakened ones do not", async () => {
    const place = placeOf(index);
    const deployments = deploymentsOf(objects);
    expect(deployments).toHaveLength(2);
    await countQuota(place);
    for (const deployment of deployments) {
      expect(await tryPod(place, deployment, (spec) => spec)).toEqual({ status: 201, message: undefined });
      for (const [complaint, weaken] of Object.entries(weakenings)) {
        const { status, message } = await tryPod(place, deployment, weaken);
        expect(status).toBe(403);
        expect(message).toContain(`violates PodSecurity "restricted:latest": ${complaint}`);
      }
    }
  });

  test('what its objects say of each other is so', () => {
    expect(danglingReferences(objects)).toEqual([]);
  });

  test('containers cannot write into their root file system', () => {
    const containers = deploymentsOf(objects).flatMap(({ spec }) => spec.template.spec.containers);
    expect(containers.map(({ securityContext }) => securityContext['readOnlyRootFilesystem'])).toEqual([
      true,
      true,
    ]);
  });

  test('the webhook is asked about the same objects as in the base, and what happens while it is down is the overlay’s', async () => {
    const conditionsOf = async (place: ControlPlane): Promise<unknown> =>
      (await configurationOn(place)).webhooks.map(({ rules, matchConditions }) => ({
        rules,
        matchConditions,
      }));
    expect(await conditionsOf(placeOf(index))).toEqual(await conditionsOf(placeOf(0)));
    const { webhooks } = await configurationOn(placeOf(index));
    expect(webhooks[0].failurePolicy).toBe(name === 'fail-open' ? 'Ignore' : 'Fail');
  });
});

test.each(componentNames)('component %s: the controller still passes Pod Security', async (name) => {
  const place = sandbox().source;
  const objects = await render(place, await overlayWithComponent(sandbox().folder, name));
  const deployment = deploymentOf(objects, 'context-syncer-controller');
  expect(await tryPod(place, deployment, (spec) => spec)).toEqual({ status: 201, message: undefined });
  expect(objects).not.toEqual(await render(place, baseFolder));
  // A patch that replaces the list would take POD_NAMESPACE away, which the arguments refer to.
  const [{ env }] = deployment.spec.template.spec.containers;
  expect(env.map((variable) => variable.name)).toContain('POD_NAMESPACE');
  const allowed = argumentsOf(deployment, {}).filter((argument) => argument.startsWith('--allow-exec='));
  expect(
    allowed.map((argument) => allowedPlugins.parse(argument.replace('--allow-exec=', ''))),
  ).not.toContain(undefined);
});

test('no overlay goes untested', () => {
  const tested = [...kustomizations.map(({ name }) => name), ...additions];
  expect(overlayNames.filter((name) => !tested.includes(name))).toEqual([]);
});

test.each(additions)(
  '%s is accepted on top of the base, and nothing that it names is missing',
  async (name) => {
    const { source } = sandbox();
    if (name === 'monitoring') await installPrometheusKinds(source);
    // A local address is there by now, beside which no Service can be set.
    await source.kubectl(['delete', 'validatingwebhookconfiguration', configurationName]);
    const { stderr } = await source.kubectl(['apply', '-k', overlayFolder(name)]);
    expect(stderr).toBe('');
    expect(danglingReferences(await render(source, overlayFolder(name)))).toEqual([]);
  },
);

test("the webhook's token leads to no other account's token, nor to any other Secret", async () => {
  const { source } = sandbox();
  await source.kubectl(['apply', '-k', baseFolder]);
  const secrets = `/api/v1/namespaces/${ownNamespace}/secrets`;
  const own = `${secrets}/context-syncer-webhook-ca`;
  const tokenOf = { 'kubernetes.io/service-account.name': 'context-syncer-controller' };
  const tokenType = 'kubernetes.io/service-account-token';
  const token = await source.serviceAccountToken(ownNamespace, 'context-syncer-webhook');
  const attempt = async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) =>
    (await source.request(method, path, body, { token, allowFailure: true })).status;
  const { status, body } = await source.request<ManifestObject>('GET', own, undefined, { token });
  expect(status).toBe(200);
  const tokenSecret = { metadata: { name: 'stolen', annotations: tokenOf }, type: tokenType };
  const accounts = `/api/v1/namespaces/${ownNamespace}/serviceaccounts`;
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const grant = {
    metadata: { name: 'stolen' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'context-syncer-webhook', namespace: ownNamespace }],
  };
  const pod = { metadata: { name: 'stolen' }, spec: { containers: [{ name: 'a', image: 'a' }] } };
  expect({
    'makes a token Secret': await attempt('POST', secrets, tokenSecret),
    'turns its own Secret into one': await attempt('PUT', own, {
      ...body,
      metadata: { ...body.metadata, annotations: tokenOf },
      type: tokenType,
    }),
    'makes room for one': await attempt('DELETE', own),
    'asks for a token': await attempt('POST', `${accounts}/context-syncer-controller/token`, {
      spec: { expirationSeconds: 600 },
    }),
    'reads the contexts': await attempt('GET', `${secrets}/context-syncer-contexts`),
    'lists Secrets': await attempt('GET', secrets),
    'lists all Secrets': await attempt('GET', '/api/v1/secrets'),
    'starts a pod of another account': await attempt('POST', `/api/v1/namespaces/${ownNamespace}/pods`, pod),
    'grants itself more': await attempt('POST', `${rbac}/clusterrolebindings`, grant),
    'makes a webhook that changes objects': await attempt(
      'POST',
      '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
      { metadata: { name: 'stolen' } },
    ),
  }).toEqual({
    'makes a token Secret': 403,
    // The type of a Secret cannot be changed.
    'turns its own Secret into one': 422,
    'makes room for one': 403,
    'asks for a token': 403,
    'reads the contexts': 403,
    'lists Secrets': 403,
    'lists all Secrets': 403,
    'starts a pod of another account': 403,
    'grants itself more': 403,
    'makes a webhook that changes objects': 403,
  });
});

test('with `namespace:` in a kustomization, nothing of the namespace of the base is left', async () => {
  const objects = await render(sandbox().source, join(manifestsFolder, 'examples', 'other-namespace'));
  expect(danglingReferences(objects)).toEqual([]);
  const text = JSON.stringify(objects);
  expect(text).not.toMatch(
    /"namespace":"context-syncer"|context-syncer\.svc|"context-syncer\/|=context-syncer\//,
  );
  expect(text).toContain('"context-syncer-webhook.platform-sync.svc"');
  expect(text).toContain('"platform-sync/context-syncer-webhook"');
});

test("the image's tag is the program's version", async () => {
  const objects = await render(sandbox().source, baseFolder);
  const { version } = trustedJson<{ version: string }>(
    await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  const images = deploymentsOf(objects).flatMap(({ spec }) =>
    spec.template.spec.containers.map((container) => property(container, 'image')),
  );
  expect(images).toEqual([`context-syncer:${version}`, `context-syncer:${version}`]);
});

const caSecretPath = `/api/v1/namespaces/${ownNamespace}/secrets/context-syncer-webhook-ca`;

/** What the webhook does: the Secret as shipped, with data. */
async function fillCaSecret(place: ControlPlane): Promise<unknown> {
  const { body } = await place.request<ManifestObject>('GET', caSecretPath);
  await place.request('PUT', caSecretPath, { ...body, data: { 'authorities.json': 'e30=' } });
  return { 'authorities.json': 'e30=' };
}

async function caSecretOf(place: ControlPlane): Promise<unknown> {
  const { body } = await place.request('GET', caSecretPath, undefined, { allowFailure: true });
  return property(body, 'data');
}

/** The controller manager would count the pods of a quota, and no pod is admitted before it did. None runs here. */
async function countQuota(place: ControlPlane): Promise<void> {
  const quotas = `/api/v1/namespaces/${ownNamespace}/resourcequotas`;
  const { body } = await place.request<{ items: ManifestObject[] }>('GET', quotas);
  await Promise.all(
    body.items.map(({ metadata, spec }) =>
      place.request(
        'PATCH',
        `${quotas}/${metadata.name}/status`,
        { status: { hard: property(spec, 'hard'), used: { pods: '0' } } },
        { contentType: 'application/merge-patch+json' },
      ),
    ),
  );
}

/** `KIND/NAME VERSION` of every object that the folder makes, as it stands. kubectl says "configured" of some that it left alone. */
async function versionsOf(place: ControlPlane, folder: string): Promise<readonly string[]> {
  const template = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
  const { stdout } = await place.kubectl(['get', '-k', folder, `--output=jsonpath=${template}`]);
  return linesOf(stdout);
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

type Weakening = (spec: PodSpec) => PodSpec;

function withContainer(spec: PodSpec, fields: Readonly<Record<string, unknown>>): PodSpec {
  const [container] = spec.containers;
  return {
    ...spec,
    containers: [{ ...container, securityContext: { ...container.securityContext, ...fields } }],
  };
}

/** By what Pod Security says of them. */
const weakenings: Readonly<Record<string, Weakening>> = {
  'allowPrivilegeEscalation != false': (spec) => withContainer(spec, { allowPrivilegeEscalation: true }),
  'unrestricted capabilities': (spec) => withContainer(spec, { capabilities: {} }),
  'runAsUser=0': (spec) => withContainer(spec, { runAsUser: 0 }),
  'runAsNonRoot != true': (spec) => ({
    ...spec,
    securityContext: { ...spec.securityContext, runAsNonRoot: false },
  }),
  seccompProfile: (spec) => ({
    ...spec,
    securityContext: { ...spec.securityContext, seccompProfile: undefined },
  }),
};

/** A pod as the Deployment's controller would make it; Pod Security judges pods only. A dry run: nothing is stored. */
async function tryPod(
  place: ControlPlane,
  { spec }: Deployment,
  change: Weakening,
): Promise<{ readonly status: number; readonly message: unknown }> {
  const { status, body } = await place.request(
    'POST',
    `/api/v1/namespaces/${ownNamespace}/pods?dryRun=All`,
    {
      metadata: { name: 'trial', labels: spec.template.metadata.labels },
      spec: change(spec.template.spec),
    },
    { allowFailure: true },
  );
  return { status, message: property(body, 'message') };
}

/** Selectors that select no pods, ports and objects that do not exist, as sentences. */
function danglingReferences(objects: readonly ManifestObject[]): readonly string[] {
  const deployments = deploymentsOf(objects);
  const selected = (labels: unknown): readonly Deployment[] =>
    deployments.filter(({ spec }) =>
      Object.entries(trustedJson<Record<string, string>>(JSON.stringify(labels ?? {}))).every(
        ([label, value]) => spec.template.metadata.labels[label] === value,
      ),
    );
  const exists = (kind: string, name: unknown, namespace?: unknown): boolean =>
    objects.some(
      (object) =>
        object.kind === kind &&
        object.metadata.name === name &&
        (namespace === undefined || object.metadata.namespace === namespace),
    );
  const problems: string[] = [];
  const must = (holds: boolean, problem: string): void => {
    if (!holds) {
      problems.push(problem);
    }
  };
  for (const { kind, metadata, spec, ...rest } of objects) {
    const who = `${kind} ${metadata.name}`;
    if (kind === 'Service') {
      const pods = selected(property(spec, 'selector'));
      must(pods.length === 1, `${who} selects the pods of ${pods.length} Deployments`);
      for (const port of listOf(spec, 'ports')) {
        must(portsOf(pods).has(property(port, 'targetPort')), `${who} names a port that does not exist`);
      }
    }
    if (kind === 'PodDisruptionBudget') {
      const pods = selected(property(property(spec, 'selector'), 'matchLabels'));
      must(pods.length === 1, `${who} selects the pods of ${pods.length} Deployments`);
    }
    if (kind === 'NetworkPolicy') {
      const pods = selected(property(property(spec, 'podSelector'), 'matchLabels'));
      must(pods.length > 0, `${who} selects no pods`);
      for (const port of listOf(spec, 'ingress').flatMap((rule) => listOf(rule, 'ports'))) {
        must(portsOf(pods).has(property(port, 'port')), `${who} names a port that does not exist`);
      }
    }
    if (kind === 'ValidatingWebhookConfiguration') {
      const [webhook] = listOf(rest, 'webhooks');
      const service = property(property(webhook, 'clientConfig'), 'service');
      must(
        exists('Service', property(service, 'name'), property(service, 'namespace')),
        `${who} names a Service that does not exist`,
      );
    }
    if (kind === 'RoleBinding' || kind === 'ClusterRoleBinding') {
      for (const subject of listOf(rest, 'subjects')) {
        must(
          exists('ServiceAccount', property(subject, 'name'), property(subject, 'namespace')),
          `${who} names a ServiceAccount that does not exist`,
        );
      }
    }
  }
  for (const { metadata, spec } of deployments) {
    const { serviceAccountName, volumes = [], containers } = spec.template.spec;
    const who = `Deployment ${metadata.name}`;
    must(exists('ServiceAccount', serviceAccountName), `${who} names a ServiceAccount that does not exist`);
    must(
      selected(property(property(spec, 'selector'), 'matchLabels')).length === 1,
      `${who} does not select its own pods alone`,
    );
    for (const constraint of listOf(spec.template.spec, 'topologySpreadConstraints')) {
      const pods = selected(property(property(constraint, 'labelSelector'), 'matchLabels'));
      must(pods.length === 1 && pods[0]?.metadata.name === metadata.name, `${who} spreads others' pods`);
    }
    for (const { configMap } of volumes) {
      must(
        configMap === undefined || exists('ConfigMap', configMap.name),
        `${who} mounts a ConfigMap that does not exist`,
      );
    }
    for (const probe of ['livenessProbe', 'readinessProbe']) {
      const port = property(property(property(containers[0], probe), 'httpGet'), 'port');
      must(
        containers[0].ports.some(({ name }) => name === port),
        `${who}: ${probe} asks a port that does not exist`,
      );
    }
  }
  return problems;
}

function portsOf(deployments: readonly Deployment[]): ReadonlySet<unknown> {
  return new Set(
    deployments.flatMap(({ spec }) =>
      spec.template.spec.containers.flatMap(({ ports }) => ports.map(({ name }) => name)),
    ),
  );
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = property(value, key);
  return Array.isArray(list) ? list : [];
}

import { X509Certificate } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { WebhookConfiguration } from '../../../certs/ca-bundle.ts';
import { parseCas } from '../../../certs/ca-document.ts';
import { CertificateManager } from '../../../certs/certificate-manager.ts';
import { systemKeyMaterial } from '../../../certs/key-material.ts';
import { chainsTo } from '../../../certs/live-bundle.ts';
import { defaultRotationPolicy } from '../../../certs/rotation-policy.ts';
import type { ServingCertificate } from '../../../certs/serving-certificates.ts';
import { systemClock } from '../../../shared/clock.ts';
import type { KubeClient } from '../../../shared/kube/client.ts';
import { connect } from '../../../shared/kube/connection/connection.ts';
import { isApiError } from '../../../shared/kube/errors.ts';
import { specFromKubeconfig } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { secrets, validatingWebhookConfigurations } from '../../../shared/kube/resource.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';
import { adminClient, makeNamespace } from '../kube/admin-client.ts';

const sandbox = useSandbox({ targets: 0 });
const within = { timeout: 30_000, interval: 20 };
const secretName = 'context-syncer-webhook-ca';

/** A namespace, a webhook configuration of two webhooks, and an admin's view of both. */
class Stage {
  readonly client: KubeClient;
  readonly name: string;

  constructor(client: KubeClient, name: string) {
    this.client = client;
    this.name = name;
  }

  static async create(name: string): Promise<Stage> {
    await makeNamespace(sandbox().source, name);
    const stage = new Stage(await adminClient(sandbox().source), name);
    await stage.client.create(validatingWebhookConfigurations, stage.configuration());
    await stage.applySecret();
    return stage;
  }

  configuration() {
    const { name } = this;
    const service = { namespace: name, name: 'hook', path: '/validate', port: 443 };
    const webhook = (prefix: string) => ({
      name: `${prefix}.${name}.example.com`,
      clientConfig: { service },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['podtemplates'] }],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    });
    return {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name, labels: { kept: 'yes' } },
      webhooks: [webhook('one'), webhook('two')],
    };
  }

  read(): Promise<WebhookConfiguration> {
    return this.client.get<WebhookConfiguration>(validatingWebhookConfigurations, undefined, this.name);
  }

  async live(): Promise<string[]> {
    const { webhooks = [] } = await this.read();
    return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString());
  }

  /** The certificate of the authority that signs, or undefined. */
  async signing(): Promise<string | undefined> {
    const { data = {} } = await this.secret();
    const parsed = parseCas(Buffer.from(data['authorities.json'] ?? '', 'base64').toString());
    return parsed.kind === 'usable' ? parsed.cas.signing.certPem : undefined;
  }

  /** As the manifests ship it. */
  async applySecret(): Promise<void> {
    await this.client.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: this.name, name: secretName },
    });
  }

  secret(): Promise<PayloadObject> {
    return this.client.get<PayloadObject>(secrets, this.name, secretName);
  }

  /** Takes the caBundle out of one webhook and keeps everything else. */
  async wipe(): Promise<void> {
    const patch = [{ op: 'remove', path: '/webhooks/1/clientConfig/caBundle' }];
    await this.client.patch(validatingWebhookConfigurations, undefined, this.name, 'json', patch);
  }

  async start(policy = defaultRotationPolicy, client?: KubeClient): Promise<Replica> {
    const stop = new AbortController();
    const served: ServingCertificate[] = [];
    const manager = new CertificateManager({
      client: client ?? (await adminClient(sandbox().source)),
      namespace: this.name,
      configurationName: this.name,
      servingNames: [`hook.${this.name}.svc`],
      policy,
      material: systemKeyMaterial,
      clock: systemClock(),
      random: Math.random,
      logger: silentLogger,
      onLeaf: (certificate) => served.push(certificate),
    });
    const done = manager.run(stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await done;
    });
    return { manager, served };
  }
}

interface Replica {
  readonly manager: CertificateManager;
  readonly served: ServingCertificate[];
}

/** A client with the token of a ServiceAccount; closed when the test is over. */
async function clientOf(namespace: string, account: string): Promise<KubeClient> {
  const { source } = sandbox();
  const token = await source.serviceAccountToken(namespace, account);
  const text = sandbox().contextsKubeconfig([{ name: 'c', cluster: source, user: { token } }]);
  const client = connect(specFromKubeconfig(text, { baseDirectory: undefined }), {
    clock: systemClock(),
    logger: silentLogger,
    userAgent: 'context-syncer-test',
  });
  onTestFinished(() => client.close());
  return client;
}

const allReady = (replicas: readonly Replica[]): boolean =>
  replicas.every(({ manager }) => manager.problem() === undefined);

const leafOf = ({ served }: Replica): string => served.at(-1)?.certPem ?? '';

test('three replicas that start at once agree on one CA, and nothing else is touched', async () => {
  const stage = await Stage.create('together');
  const before = await stage.read();
  const replicas = await Promise.all([stage.start(), stage.start(), stage.start()]);
  await expect.poll(() => allReady(replicas), within).toBe(true);
  const signing = (await stage.signing()) ?? 'none';
  expect(await stage.live()).toEqual([signing, signing]);
  for (const replica of replicas) {
    expect(replica.served).toHaveLength(1);
    expect(chainsTo(leafOf(replica), [signing])).toBe(true);
  }
  const after = await stage.read();
  const caBundle = Buffer.from(signing).toString('base64');
  expect(after.webhooks).toEqual(
    before.webhooks?.map((webhook) => ({ ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } })),
  );
  expect(after.metadata.labels).toEqual({ kept: 'yes' });
  expect(await stage.secret()).toMatchObject({ type: 'Opaque' });
});

test('a wiped caBundle, a Secret that is deleted and applied again, and a garbage Secret heal', async () => {
  const stage = await Stage.create('healing');
  const replicas = await Promise.all([stage.start(), stage.start()]);
  await expect.poll(() => allReady(replicas), within).toBe(true);
  const first = (await stage.signing()) ?? 'none';

  await stage.wipe();
  await expect.poll(() => stage.live(), within).toEqual([first, first]);

  // More wipes than are answered in a burst: each is healed, without a pause that grows.
  for (let wipes = 0; wipes < 35; wipes += 1) {
    await stage.wipe();
    await expect.poll(() => stage.live(), { timeout: 2_000, interval: 5 }).toEqual([first, first]);
  }

  await stage.client.delete(secrets, stage.name, secretName);
  await stage.applySecret();
  await expect
    .poll(
      async () => (await stage.live()).every((text) => text.includes(first) && text.length > first.length),
      within,
    )
    .toBe(true);
  const second = (await stage.signing()) ?? 'none';
  expect(second).not.toBe(first);

  const garbage = { data: { 'authorities.json': Buffer.from('garbage').toString('base64') } };
  await stage.client.patch(secrets, stage.name, secretName, 'merge', garbage);
  await expect.poll(() => stage.signing(), within).not.toBeUndefined();
  const third = (await stage.signing()) ?? 'none';
  await expect
    .poll(
      async () =>
        (await stage.live()).every((text) => [first, second, third].every((one) => text.includes(one))),
      within,
    )
    .toBe(true);
  await expect.poll(() => allReady(replicas), within).toBe(true);
});

test('a configuration that is deleted and applied again without a caBundle is patched again', async () => {
  const stage = await Stage.create('applied-again');
  const replica = await stage.start();
  await expect.poll(() => allReady([replica]), within).toBe(true);
  await stage.client.delete(validatingWebhookConfigurations, undefined, stage.name);
  await expect.poll(() => replica.manager.problem(), within).toBe('the webhook configuration does not exist');
  await stage.client.create(validatingWebhookConfigurations, stage.configuration());
  await expect.poll(() => replica.manager.problem(), within).toBeUndefined();
  const signing = await stage.signing();
  expect(await stage.live()).toEqual([signing, signing]);
});

test('a whole rotation: every certificate in use chains to the bundle all the way', async () => {
  const stage = await Stage.create('rotation');
  const policy = {
    caLifeMs: 12_000,
    servingLifeMs: 4_000,
    backdateMs: 0,
    renewAfter: 2 / 3,
    propagationMs: 500,
    skewMs: 1_000,
  };
  const replicas = await Promise.all([stage.start(policy), stage.start(policy), stage.start(policy)]);
  await expect.poll(() => allReady(replicas), within).toBe(true);
  const authorities = new Set<string>();
  const broken: string[] = [];
  let looks = 0;
  await expect
    .poll(async () => {
      // The certificates first: one that is swapped meanwhile chains to the newer bundle as well.
      const leaves = replicas.map(leafOf);
      const live = await stage.live();
      // Gathered, not asserted here: a poll would try again and forget it.
      broken.push(...leaves.filter((leaf) => !chainsTo(leaf, live) && isValid(leaf)));
      authorities.add((await stage.signing()) ?? 'none');
      looks += 1;
      return authorities.size;
    }, within)
    .toBe(3);
  expect(broken).toEqual([]);
  expect(looks).toBeGreaterThan(50);
  const [first = ''] = authorities;
  await expect
    .poll(async () => (await stage.live()).some((text) => text.includes(first)), within)
    .toBe(false);
  await expect.poll(() => allReady(replicas), within).toBe(true);
});

/** A replica that a busy machine holds up can be found with a leaf that has just expired. */
function isValid(leafPem: string): boolean {
  return Date.parse(new X509Certificate(leafPem).validTo) > Date.now();
}

test('rights to one Secret and one configuration, by name, suffice', async () => {
  const stage = await Stage.create('least-rights');
  const { source } = sandbox();
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const user = 'system:serviceaccount:least-rights:webhook';
  const subjects = [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }];
  const verbs = (write: string) => ['get', 'list', 'watch', write];
  const roleRef = (kind: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: 'certs-test' });
  await source.request('POST', `${rbac}/namespaces/least-rights/roles`, {
    metadata: { name: 'certs-test' },
    rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: [secretName], verbs: verbs('update') }],
  });
  await source.request('POST', `${rbac}/namespaces/least-rights/rolebindings`, {
    metadata: { name: 'certs-test' },
    subjects,
    roleRef: roleRef('Role'),
  });
  await source.request('POST', `${rbac}/clusterroles`, {
    metadata: { name: 'certs-test' },
    rules: [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['validatingwebhookconfigurations'],
        resourceNames: [stage.name],
        verbs: verbs('patch'),
      },
    ],
  });
  await source.request('POST', `${rbac}/clusterrolebindings`, {
    metadata: { name: 'certs-test' },
    subjects,
    roleRef: roleRef('ClusterRole'),
  });
  const client = await clientOf(stage.name, 'webhook');
  const replica = await stage.start(defaultRotationPolicy, client);
  await expect.poll(() => replica.manager.problem(), within).toBeUndefined();
  await stage.wipe();
  const signing = await stage.signing();
  // Noticed by the watch: the regular look is an hour away.
  await expect.poll(() => stage.live(), within).toEqual([signing, signing]);
  await expect(client.get(secrets, stage.name, 'another')).rejects.toSatisfy((error) =>
    isApiError(error, 'Forbidden'),
  );
});

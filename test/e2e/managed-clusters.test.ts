import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCatalog } from '../../shared/catalog/document.ts';
import { FakeAws, podRole } from '../clouds/fake-aws.ts';
import { aksServerId, FakeEntra, objectId } from '../clouds/fake-entra.ts';
import { FakeGoogle, serviceAccount } from '../clouds/fake-google.ts';
import { TokenGate } from '../clouds/token-gate.ts';
import { TokenReviews } from '../clouds/token-reviews.ts';
import { ObjectWatch } from '../demo/object-watch.ts';
import { eventually } from '../harness/eventually.ts';
import { apply, create, remove, setData } from '../harness/kubectl.ts';
import { metric } from '../harness/metrics.ts';
import { copyRights, grantIn, namespaceRights } from '../harness/rbac.ts';
import {
  appears,
  disappears,
  eventAbout,
  find,
  type Stage,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import { CertificateAuthority } from '../sandbox/control-plane/certificate-authority.ts';
import type { ContextSpec, ControlPlane } from '../sandbox/sandbox.ts';

// They must be there before the API server that asks about their tokens.
const entraCa = await CertificateAuthority.create('entra');
const [aws, google, entra] = await Promise.all([
  FakeAws.start(),
  FakeGoogle.start(),
  FakeEntra.start(entraCa),
]);
const reviews = await TokenReviews.start([
  (token) => aws.verify(token, 'demo'),
  (token) => google.verify(token),
  (token) => entra.verify(token),
]);

const stage = useStage({ targets: 2, tokenReviewUrl: reviews.url });
let environment: Record<string, string> = {};

beforeAll(async () => {
  const { folder } = stage().sandbox;
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  environment = {
    ...aws.environment('irsa', await file('aws-token', aws.podToken)),
    ...google.environment,
    ...entra.environment(await file('entra-token', entra.podToken)),
    NODE_EXTRA_CA_CERTS: await file('entra.crt', entraCa.certPem),
  };
});

afterAll(async () => {
  await Promise.all([aws, google, entra, reviews].map((one) => one[Symbol.asyncDispose]()));
});

const apiVersion = 'client.authentication.k8s.io/v1beta1';

/** What the clouds' tools write as user entries, and the user that the cluster sees. */
const clouds = {
  eks: {
    user: podRole,
    exec: {
      apiVersion,
      args: ['--region', 'us-west-2', 'eks', 'get-token', '--cluster-name', 'demo', '--output', 'json'],
      command: 'aws',
    },
  },
  gke: {
    user: serviceAccount,
    exec: {
      apiVersion,
      command: 'gke-gcloud-auth-plugin',
      installHint: 'Install gke-gcloud-auth-plugin for use with kubectl',
      provideClusterInfo: true,
    },
  },
  aks: {
    user: objectId,
    exec: {
      apiVersion,
      args: ['get-token', '--login', 'workloadidentity', '--server-id', aksServerId],
      command: 'kubelogin',
      env: null,
      provideClusterInfo: false,
    },
  },
} as const;
type Cloud = keyof typeof clouds;
const names: readonly Cloud[] = ['eks', 'gke', 'aks'];

/** A context that is named as its cloud unless a name is given, with the tool's own user entry. */
function contextOf(here: Stage, cloud: Cloud, namespace: string, name: string = cloud): ContextSpec {
  return {
    name,
    cluster: here.target(1),
    namespace,
    userFields: { token: undefined, exec: clouds[cloud].exec },
  };
}

async function namespaceFor(here: Stage, namespace: string, user: string): Promise<void> {
  await here.createNamespace(namespace);
  await grantIn(here.target(1), namespace, 'copies', { kind: 'User', name: user }, [
    copyRights,
    namespaceRights,
  ]);
}

/** A source named `omni` for one context. */
async function sourceFor(here: Stage, namespace: string, context: string): Promise<void> {
  const metadata = { name: 'omni', namespace, annotations: { [syncContexts]: context } };
  await create(here.source, { kind: 'ConfigMap', metadata, data: { round: '1' } });
}

/** The source is propagated, now and when it changes. */
async function propagates(
  here: Stage,
  namespace: string,
  round: string,
  place: ControlPlane = here.target(1),
): Promise<void> {
  await setData(here.source, namespace, 'configmap/omni', { round });
  await appears(place, 'configmaps', namespace, 'omni', ({ data }) => {
    expect(data).toEqual({ round });
  });
}

test('what the tools of EKS, GKE and AKS write works unchanged, from a Secret', async () => {
  const here = stage();
  await here.createNamespace('context-syncer', [here.source]);
  for (const name of names) {
    await namespaceFor(here, `plain-${name}`, clouds[name].user);
    await sourceFor(here, `plain-${name}`, name);
  }
  const kubeconfig = here.sandbox.contextsKubeconfig(
    names.map((name) => contextOf(here, name, `plain-${name}`)),
  );
  await apply(here.source, {
    kind: 'Secret',
    metadata: { name: 'contexts', namespace: 'context-syncer' },
    stringData: { kubeconfig },
  });
  const controller = here.launch(
    [
      'controller',
      '--cluster-name=hub',
      '--leader-elect=false',
      `--kubeconfig=${here.source.kubeconfigFile}`,
      '--contexts-secret=context-syncer/contexts',
      '--health-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
    ],
    environment,
  );
  for (const name of names) {
    const namespace = `plain-${name}`;
    await propagates(here, namespace, '2');
    await remove(here.source, namespace, 'configmap/omni');
    await disappears(here.target(1), 'configmaps', namespace, 'omni');
    expect(
      await metric(controller, 'context_syncer_credential_expiry_timestamp_seconds', { context: name }),
    ).toBeGreaterThan(Date.now() / 1000 + 600);
    expect(
      await metric(controller, 'context_syncer_credentials_obtained_total', {
        provider: name,
        result: 'success',
      }),
    ).toBe(1);
    expect(controller.log).toContainEqual(
      expect.objectContaining({ msg: 'credentials obtained', provider: name, identity: clouds[name].user }),
    );
  }
});

test('a refusal by a cloud or a cluster says what to grant, and affects no other context', async () => {
  const here = stage();
  const problems: Readonly<Record<Cloud, RegExp>> = {
    eks: /role\/context-syncer needs an access entry in the cluster: aws eks create-access-entry --cluster-name demo/,
    gke: /Google Cloud refuses a token \(access_denied, 403\): grant roles\/iam.workloadIdentityUser/,
    aks: /Microsoft Entra ID refuses a token \(invalid_client, AADSTS700213\): give the application a federated credential/,
  };
  for (const name of names) {
    await namespaceFor(here, `refused-${name}`, clouds[name].user);
    await sourceFor(here, `refused-${name}`, `refused-${name}`);
  }
  await here.createNamespace('refused-none');
  await sourceFor(here, 'refused-none', 'good');
  reviews.strangers.add(podRole);
  google.refuseWith = 'access_denied';
  entra.refuseWith = 700213;
  await here.setContexts([
    ...names.map((name) => contextOf(here, name, `refused-${name}`, `refused-${name}`)),
    { name: 'good', cluster: here.target(1), namespace: 'refused-none' },
  ]);
  const controller = await here.startController(undefined, environment);
  for (const name of names) {
    const event = await eventAbout(here.source, `refused-${name}`, 'omni', 'ContextUnavailable');
    expect(event.message).toMatch(problems[name]);
  }
  // What the webhook reads.
  await eventually('the catalog has the problems', async () => {
    const catalog = await find(here.source, 'configmaps', 'context-syncer', 'context-syncer-catalog');
    const { contexts } = parseCatalog(catalog?.data?.['catalog.json'] ?? '');
    for (const name of names) {
      expect(contexts.get(`refused-${name}`)?.problem).toMatch(problems[name]);
      expect(contexts.get(`refused-${name}`)?.unreachableSince).toBeUndefined();
    }
  });
  await propagates(here, 'refused-none', '2');
  expect(controller.output).not.toContain('CANARY');

  reviews.strangers.clear();
  google.refuseWith = undefined;
  entra.refuseWith = undefined;
  await Promise.all(names.map((name) => propagates(here, `refused-${name}`, '2')));
});

test('a plugin that is allowed gives a client certificate, and a new one before that expires', async () => {
  const here = stage();
  const namespace = 'plugin';
  await namespaceFor(here, namespace, 'plugin-user');
  const { certPem, keyPem } = await here.target(1).clientCertificate('plugin-user');
  const path = join(here.sandbox.folder, 'plugin');
  const answer = join(here.sandbox.folder, 'answer.json');
  const asked = join(here.sandbox.folder, 'asked');
  const giveFor = async (seconds: number): Promise<void> => {
    const status = {
      clientCertificateData: certPem,
      clientKeyData: keyPem,
      expirationTimestamp: new Date(Date.now() + seconds * 1000).toISOString(),
    };
    await writeFile(answer, JSON.stringify({ apiVersion, kind: 'ExecCredential', status }));
  };
  await writeFile(
    path,
    `#!/bin/sh\nprintf '%s\\n' "$KUBERNETES_EXEC_INFO" >> ${asked}\ncat ${answer}\necho obtained CANARY >&2\n`,
  );
  await chmod(path, 0o755);
  await giveFor(3);
  await here.setContexts([
    {
      name: namespace,
      cluster: here.target(1),
      namespace,
      clusterFields: {
        extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { tenant: 'x' } }],
      },
      userFields: { token: undefined, exec: { apiVersion, command: 'tool', provideClusterInfo: true } },
    },
  ]);
  await sourceFor(here, namespace, namespace);
  const controller = await here.startController(['--leader-elect=false', `--allow-exec=tool=${path}`]);
  await propagates(here, namespace, '2');
  await giveFor(3600);
  await eventually('the plugin is asked again', async () => {
    const count = await metric(controller, 'context_syncer_credentials_obtained_total', { provider: 'exec' });
    expect(count).toBeGreaterThan(1);
  });
  await propagates(here, namespace, '3');
  expect(controller.log).toContainEqual(
    expect.objectContaining({ msg: 'credentials obtained', provider: 'exec', identity: 'plugin-user' }),
  );
  expect(controller.output).not.toMatch(/PRIVATE KEY|CANARY/);
});

/** Seconds under load; more than the default is for measuring. */
const seconds = Number(process.env['CONTEXT_SYNCER_TOKEN_SECONDS'] ?? 11);
const updatesPerSecond = 20;

/** What one session opens at most: 32 connections for requests, and one for each of two watches. */
const connectionsOfASession = 34;

test('tokens that live for five seconds are renewed under load: nothing is refused, no watch and no connection ends', async () => {
  const here = stage();
  google.lifetime = 5;
  await using shortGate = await TokenGate.start(here.target(1), (token) => google.verify(token));
  await using longGate = await TokenGate.start(here.target(2), (token) => token);
  const ways = [
    { name: 'short-lived', place: here.target(1), gate: shortGate },
    // The reference: the same way, with a token that never changes.
    { name: 'long-lived', place: here.target(2), gate: longGate },
  ] as const;
  const [{ name }] = ways;
  await here.setContexts([
    { ...contextOf(here, 'gke', name, name), server: shortGate.url },
    { name: 'long-lived', cluster: here.target(2), namespace: 'long-lived', server: longGate.url },
  ]);
  await here.createNamespace('short-lived');
  await here.createNamespace('long-lived');
  const controller = await here.startController(undefined, environment);
  const measured = await Promise.all(
    ways.map(async (way) => {
      await sourceFor(here, way.name, way.name);
      await propagates(here, way.name, '2', way.place);
      await eventually('both kinds are watched', () => {
        expect(way.gate.watches).toHaveLength(2);
      });
      return await underLoad(here, way.name, way.place);
    }),
  );
  expect(shortGate.tokens).toBeGreaterThan(seconds / 5);
  expect(shortGate.refused).toBe(0);
  expect(shortGate.watches).toHaveLength(2);
  expect(shortGate.accepted).toBeLessThanOrEqual(connectionsOfASession);
  expect(
    controller.log.filter(({ msg }) => /credentials cannot|no credentials|cannot be reached/.test(msg)),
  ).toEqual([]);
  if (process.env['CONTEXT_SYNCER_TOKEN_SECONDS'] !== undefined) {
    for (const [index, { name, gate }] of ways.entries()) {
      const delays = (measured[index] ?? []).toSorted((left, right) => left - right);
      const at = (part: number): string =>
        (delays[Math.floor(delays.length * part)] ?? Number.NaN).toFixed(1);
      console.log(
        `${name}: ${delays.length} updates, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, last ${at(0.999999)} ms; ` +
          `tokens ${gate.tokens}, connections ${gate.accepted}, watches ${gate.watches.length}`,
      );
    }
  }
});

/** Updates the source `updatesPerSecond` times a second; yields how long each took to arrive, in milliseconds. */
async function underLoad(here: Stage, namespace: string, place: ControlPlane): Promise<number[]> {
  const watch = await ObjectWatch.open({
    kubeconfig: here.sandbox.contextsKubeconfig([{ name: 'target', cluster: place }]),
    context: 'target',
    namespace,
    name: 'omni',
  });
  const rounds = seconds * updatesPerSecond;
  const began = performance.now();
  const arrivals: Promise<number>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const due = began + (round * 1000) / updatesPerSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    const sent = performance.now();
    await here.source.request('PUT', `/api/v1/namespaces/${namespace}/configmaps/omni`, {
      metadata: { name: 'omni', annotations: { [syncContexts]: namespace } },
      data: { value: `load-${round}` },
    });
    arrivals.push(arrival(watch, round).then((at) => at - sent));
  }
  const delays = await Promise.all(arrivals);
  await watch.close();
  return delays;
}

/** When the copy was first seen with this value or a later one: updates that follow each other closely can become one. */
async function arrival(watch: ObjectWatch, round: number): Promise<number> {
  const fits = (data: Readonly<Record<string, string>> | undefined): boolean =>
    Number(/^load-(\d+)$/.exec(data?.['value'] ?? '')?.[1] ?? -1) >= round;
  const { at } = await watch.sight((object) => fits(object?.data), 0, AbortSignal.timeout(60_000));
  return at;
}

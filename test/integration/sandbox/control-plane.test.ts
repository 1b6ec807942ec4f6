import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ConnectProxy } from '../../sandbox/network/connect-proxy.ts';
import { FaultProxy } from '../../sandbox/network/fault-proxy.ts';
import type { ContextSpec, ControlPlane } from '../../sandbox/sandbox.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';

const sandbox = useSandbox({ targets: 1, users: [{ name: 'jane', groups: ['readers', 'writers'] }] });

function target(): ControlPlane {
  const [first] = sandbox().targets;
  if (first === undefined) {
    throw new Error('the sandbox has no target');
  }
  return first;
}

/** kubectl as somebody who has one context. */
async function kubectlWith(context: Omit<ContextSpec, 'name'>, ...args: string[]) {
  const file = join(sandbox().folder, `${crypto.randomUUID()}.kubeconfig`);
  await writeFile(file, sandbox().contextsKubeconfig([{ name: 'c', ...context }]));
  return await target().kubectl(args, { kubeconfig: file, allowFailure: true });
}

async function whoAmI(context: Omit<ContextSpec, 'name'>): Promise<string> {
  const { stdout, stderr } = await kubectlWith(context, 'auth', 'whoami', '-o=jsonpath={.status.userInfo}');
  return `${stdout}${stderr}`;
}

test('source and targets are different clusters with a uid each', async () => {
  const { source } = sandbox();
  const uids = await Promise.all(
    [source, target()].map((cluster) =>
      cluster.request<{ metadata: { uid: string } }>('GET', '/api/v1/namespaces/kube-system'),
    ),
  );
  expect(new Set(uids.map(({ body }) => body.metadata.uid)).size).toBe(2);
});

test('kubectl and the servers are of one version, so that no skew is warned of', async () => {
  const { stdout, stderr } = await target().kubectl(['version', '-o=json']);
  expect(JSON.parse(stdout)).toMatchObject({
    clientVersion: { gitVersion: 'v1.36.3' },
    serverVersion: { gitVersion: 'v1.36.3' },
  });
  expect(stderr).toBe('');
});

test('a failing kubectl is an error with what it said, a refused request one with its status', async () => {
  await expect(target().kubectl(['get', 'configmap', 'none'])).rejects.toThrow('"none" not found');
  await expect(target().request('GET', '/api/v1/namespaces/none')).rejects.toMatchObject({ status: 404 });
});

test('users come by token, by client certificate and as ServiceAccounts', async () => {
  const cluster = target();
  expect(await whoAmI({ cluster, user: { token: cluster.userToken('jane') } })).toMatch(
    /"readers","writers".*"username":"jane"/,
  );
  expect(await whoAmI({ cluster, user: await cluster.clientCertificate('eve', ['team']) })).toMatch(
    /"team".*"username":"eve"/,
  );
  const token = await cluster.serviceAccountToken('default', 'robot');
  expect(await whoAmI({ cluster, user: { token } })).toContain('system:serviceaccount:default:robot');
});

test('RBAC holds: who was given nothing may do nothing', async () => {
  const cluster = target();
  const user = { token: cluster.userToken('jane') };
  const refused = await kubectlWith({ cluster, user }, 'get', 'secrets');
  expect(refused.stderr).toContain('User "jane" cannot list resource "secrets"');
  await cluster.kubectl(['create', 'role', 'reader', '--verb=list', '--resource=secrets']);
  await cluster.kubectl(['create', 'rolebinding', 'reader', '--role=reader', '--group=readers']);
  await expect
    .poll(async () => (await kubectlWith({ cluster, user }, 'get', 'secrets')).stderr)
    .toContain('No resources found');
});

test("one cluster's credentials and authority are worth nothing at another", async () => {
  const { source } = sandbox();
  expect(await whoAmI({ cluster: target(), user: { token: source.adminToken } })).toContain('Unauthorized');
  const { url, adminToken } = source;
  expect(await whoAmI({ cluster: { url, adminToken, caPem: target().caPem } })).toContain(
    'certificate signed by unknown authority',
  );
});

test('one cluster has several addresses, all with a certificate that holds', async () => {
  const cluster = target();
  await using other = await FaultProxy.start(cluster, '127.0.0.2');
  await using tunnel = await ConnectProxy.start();
  const ways: Omit<ContextSpec, 'name' | 'cluster'>[] = [
    { server: `https://localhost:${cluster.port}` },
    { server: other.url },
    {
      server: `https://kubernetes.default:${cluster.port}`,
      clusterFields: { 'proxy-url': tunnel.url },
    },
  ];
  for (const way of ways) {
    expect(await whoAmI({ cluster, ...way })).toContain('sandbox-admin');
  }
  expect(other.connections.accepted).toBeGreaterThan(0);
  expect(new Set(tunnel.targets)).toEqual(new Set([`kubernetes.default:${cluster.port}`]));
});

test('a paused server keeps its connections and answers after resume', async () => {
  const cluster = target();
  await cluster.pause();
  onTestFinished(() => cluster.resume());
  await expect(
    cluster.request('GET', '/version', undefined, { signal: AbortSignal.timeout(300) }),
  ).rejects.toThrow('timeout');
  const answer = cluster.request('GET', '/version');
  await cluster.resume();
  expect((await answer).status).toBe(200);
});

test('a killed server refuses; restarted it has the same address and the same data', async () => {
  const cluster = target();
  await cluster.kubectl(['create', 'configmap', 'survivor']);
  const { url, pids } = cluster;

  await cluster.kill();
  await expect(cluster.request('GET', '/version')).rejects.toThrow('ECONNREFUSED');
  await cluster.restart();

  expect((await cluster.kubectl(['get', 'configmap', 'survivor', '-o=name'])).stdout).toContain('survivor');
  expect(cluster.url).toBe(url);
  expect(cluster.pids[0]).toBe(pids[0]);
  expect(cluster.pids[1]).not.toBe(pids[1]);
});

test('a restored server is the same cluster with older data; a rebuilt one is another cluster, empty, at the same address', async () => {
  const cluster = target();
  const uid = async (): Promise<string> =>
    (await cluster.request<{ metadata: { uid: string } }>('GET', '/api/v1/namespaces/kube-system')).body
      .metadata.uid;
  const [before, { url }] = [await uid(), cluster];
  await cluster.kubectl(['create', 'configmap', 'in-the-snapshot']);
  const snapshot = await cluster.snapshot();
  await cluster.kubectl(['create', 'configmap', 'after-it']);

  await cluster.restore(snapshot);
  const { stdout } = await cluster.kubectl(['get', 'configmap', '-o=name']);
  expect(stdout).toContain('in-the-snapshot');
  expect(stdout).not.toContain('after-it');
  expect([await uid(), cluster.url]).toEqual([before, url]);

  await cluster.rebuild();
  expect((await cluster.kubectl(['get', 'configmap', '-o=name'])).stdout).not.toContain('in-the-snapshot');
  expect(await uid()).not.toBe(before);
  expect(cluster.url).toBe(url);
});

test('after a compaction, a restarted server continues no watch from before it', async () => {
  const cluster = sandbox().source;
  const list = async (): Promise<string> =>
    (await cluster.request<{ metadata: { resourceVersion: string } }>('GET', collection)).body.metadata
      .resourceVersion;
  const collection = '/api/v1/namespaces/default/configmaps';
  const version = await list();
  await cluster.kubectl(['create', 'configmap', 'before-compaction']);
  await cluster.compact();
  await cluster.restart();
  await cluster.kubectl(['create', 'configmap', 'after-compaction']);
  const watch = await cluster.request(
    'GET',
    `${collection}?watch=true&timeoutSeconds=1&resourceVersion=${version}`,
    undefined,
    { allowFailure: true },
  );
  expect(JSON.stringify(watch.body)).toContain('too old resource version');
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { blocksBelow } from '../../harness/guide.ts';
import { syncContexts } from '../../harness/stage.ts';
import { CertificateAuthority } from '../../sandbox/control-plane/certificate-authority.ts';
import { freePort } from '../../sandbox/network/free-port.ts';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { AdmissionStage } from './admission-stage.ts';
import { askAsApiServer } from './attacker.ts';
import { WebhookProcess } from './webhook-process.ts';

const service = { name: 'context-syncer-webhook', namespace: 'context-syncer' };
const dnsName = `${service.name}.${service.namespace}.svc`;

let folder: string;
let port: number;
let sandbox: Sandbox;

let webhook: WebhookProcess | undefined;

/** The API server is configured as docs/install.md says. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'context-syncer-client-ca-'));
  port = await freePort();
  const clients = await CertificateAuthority.create('clients of webhooks');
  const { certPem, keyPem } = await clients.client('kube-apiserver', []);
  await writeFile(join(folder, 'ca.crt'), clients.certPem);
  await writeFile(join(folder, 'webhook-client.crt'), certPem);
  await writeFile(join(folder, 'webhook-client.key'), keyPem, { mode: 0o600 });
  const blocks = await blocksBelow('docs/install.md', 'Admit only the API server to the webhook');
  for (const { text } of blocks) {
    const name = /^# \/etc\/kubernetes\/(\S+)\n/.exec(text)?.[1] ?? '';
    const here = text
      .replaceAll(/\/etc\/kubernetes\/(?:pki\/)?/g, `${folder}/`)
      .replace(dnsName, `${dnsName}:${port}`);
    await writeFile(join(folder, name), here);
  }
  const sourceFlags = [`--admission-control-config-file=${join(folder, 'admission.yaml')}`];
  sandbox = await startSandbox({ targets: 0, sourceFlags });
  await AdmissionStage.prepare(sandbox);
  await callTheService();
  const serving = await sandbox.source.ca.serving({ dns: [dnsName], ip: ['127.0.0.1'] });
  await writeFile(join(folder, 'tls.key'), serving.keyPem, { mode: 0o600 });
  await writeFile(join(folder, 'tls.crt'), serving.certPem);
});

afterEach(async () => {
  await webhook?.kill();
});

afterAll(async () => {
  await sandbox?.stop();
  await rm(folder, { recursive: true });
});

/** No pods run here; a Service of this type leads to the process, by its name and port as to a pod. */
async function callTheService(): Promise<void> {
  const { source } = sandbox;
  await source.request('POST', `/api/v1/namespaces/${service.namespace}/services`, {
    metadata: { name: service.name },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  });
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/context-syncer';
  await source.request(
    'PATCH',
    path,
    [
      {
        op: 'replace',
        path: '/webhooks/0/clientConfig',
        value: {
          service: { ...service, port, path: '/validate' },
          caBundle: Buffer.from(source.caPem).toString('base64'),
        },
      },
    ],
    { contentType: 'application/json-patch+json' },
  );
}

async function serve(clientName: string): Promise<void> {
  webhook = new WebhookProcess([
    `--kubeconfig=${sandbox.source.kubeconfigFile}`,
    `--listen=127.0.0.1:${port}`,
    `--cert-dir=${folder}`,
    `--client-ca=${join(folder, 'ca.crt')}`,
    `--client-name=${clientName}`,
  ]);
  await webhook.ready();
}

async function create(): Promise<string | undefined> {
  const { body } = await sandbox.source.request<{ readonly message?: string }>(
    'POST',
    '/api/v1/namespaces/demo/configmaps',
    { metadata: { generateName: 'a-', annotations: { [syncContexts]: 'context-1' } } },
    { allowFailure: true },
  );
  return body.message;
}

test('an API server with the certificate of the guide is answered, and a client without one is not', async () => {
  await serve('kube-apiserver');
  expect(await create()).toMatch(/The contexts are not known: /);
  await expect(askAsApiServer(port, '{}')).rejects.toThrow(/certificate required|ECONNRESET|hang up/);
});

test('an API server whose certificate has another name is refused with that reason, which the writer of an object sees, too', async () => {
  await serve('another');
  expect(await create()).toMatch(/the client certificate has none of the names of --client-name/);
});

import { afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { CatalogContext } from '../../../shared/catalog/catalog.ts';
import { systemClock } from '../../../shared/clock.ts';
import { keysOf } from '../../../shared/keys.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { reviewFormat, wantedOf } from '../../../webhook/admission-review.ts';
import { BodyBudget } from '../../../webhook/body-budget.ts';
import { reviewApp } from '../../../webhook/review-app.ts';
import { WebhookServer } from '../../../webhook/server.ts';
import { eventually } from '../../harness/eventually.ts';
import { syncContexts } from '../../harness/stage.ts';
import type { KubectlResult } from '../../sandbox/control-plane/kubectl.ts';
import { freePort } from '../../sandbox/network/free-port.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';
import { AdmissionStage } from './admission-stage.ts';
import { Balancer } from './balancer.ts';
import { Load } from './load.ts';
import { Tenant } from './tenant.ts';
import type { WebhookProcess } from './webhook-process.ts';

const sandbox = useSandbox({ targets: 0 });
let stage: AdmissionStage;

const context = (name: string, more: Partial<CatalogContext> = {}): CatalogContext => ({
  name,
  cluster: `uid of ${name}`,
  identified: true,
  settling: false,
  isSource: false,
  ...more,
});
const two = { cluster: 'uid of two', server: 'https://two.example' };
const contexts = [
  context('alias-of-2', two),
  context('context-1'),
  context('context-2', two),
  context('down', { unreachableSince: Date.UTC(2026, 10, 23, 9, 30) }),
  context('home', { isSource: true }),
  context('into-system', { namespace: 'kube-public' }),
];
const known = 'known contexts are: "alias-of-2", "context-1", "context-2", "down", "into-system"';
const denied = 'admission webhook "sync-contexts.context-syncer.dev" denied the request:';
const unknown = `Context "context-9" is unknown (did you mean "context-1"?); ${known}.`;
const home =
  'Context "home" is the cluster that this object lives in, which is never a target; remove it from the list.';

/** A manifest; undefined leaves the annotation out. */
function yaml(name: string, list: string | undefined): string {
  const annotations = list === undefined ? {} : { annotations: { [syncContexts]: list } };
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'demo', ...annotations } })}\n---\n`;
}

async function kubectl(args: readonly string[], stdin?: string): Promise<KubectlResult> {
  return await stage.source.kubectl(args, { allowFailure: true, ...(stdin === undefined ? {} : { stdin }) });
}

async function create(manifest: string): Promise<KubectlResult> {
  return await kubectl(['create', '-f', '-'], manifest);
}

/** A webhook that knows the contexts. */
async function serve(flags: readonly string[] = []): Promise<void> {
  await stage.publish(contexts);
  const webhook = await stage.startWebhook(flags);
  await webhook.ready();
  await webhook.says('catalog of contexts read');
}

beforeAll(async () => {
  stage = await AdmissionStage.prepare(sandbox());
});

afterEach(async () => {
  await stage.endWebhook();
});

test('a machine gets code 422 and a cause for each problem', async () => {
  await serve();
  const answer = await stage.source.request(
    'POST',
    '/api/v1/namespaces/demo/configmaps',
    { metadata: { generateName: 'made-up-', annotations: { [syncContexts]: 'home,context-9' } } },
    { allowFailure: true },
  );
  const field = `metadata.annotations[${syncContexts}]`;
  expect(answer).toMatchObject({
    status: 422,
    body: {
      code: 422,
      details: {
        kind: 'ConfigMap',
        causes: [
          { reason: 'UnknownContext', message: unknown, field },
          { reason: 'SourceCluster', message: home, field },
        ],
      },
    },
  });
  expect(answer.body).not.toHaveProperty('reason');
  expect(await stage.webhook.metric('context_syncer_webhook_denials_total')).toEqual([
    'context_syncer_webhook_denials_total{reason="UnknownContext"} 1',
    'context_syncer_webhook_denials_total{reason="SourceCluster"} 1',
  ]);
});

describe('the catalog', () => {
  test('that is missing is reported in the refusal, with what to do', async () => {
    await stage.publish(undefined);
    const webhook = await stage.startWebhook();
    await webhook.ready();
    await webhook.says('no catalog of contexts, annotated objects are refused');
    expect((await create(yaml('early', 'context-1'))).stderr).toBe(
      `Error from server: error when creating "STDIN": ${denied} ConfigMap demo/early: The contexts are not known: ConfigMap context-syncer/context-syncer-catalog does not exist; see that the controller, which writes it, runs with --namespace=context-syncer and has read its contexts.\n`,
    );
    expect(await webhook.metric('context_syncer_catalog_ok ')).toEqual(['context_syncer_catalog_ok 0']);
    await stage.publish(contexts);
    await webhook.says('catalog of contexts read');
    expect((await create(yaml('early', 'context-1'))).stdout).toBe('configmap/early created\n');
  });

  test('that is damaged leaves the last good one in use', async () => {
    await serve();
    const { webhook } = stage;
    await stage.publish('{"version": 1, "contexts": [{"name": "context-1"}]}');
    await webhook.says('catalog of contexts is not usable, the last good one stays in use');
    await eventually('the damage was looked at', async () => {
      expect(await webhook.metric('context_syncer_catalog_reads_total{result="refused"}')).toHaveLength(1);
    });
    expect(await webhook.metric('context_syncer_catalog_ok ')).toEqual(['context_syncer_catalog_ok 0']);
    expect(await webhook.metric('context_syncer_catalog_contexts')).toEqual([
      'context_syncer_catalog_contexts 6',
    ]);
    expect((await create(yaml('damaged', 'context-1'))).stdout).toBe('configmap/damaged created\n');
    expect((await create(yaml('damaged-too', 'context-9'))).stderr).toContain(unknown);
  });
});

test('eight tenants that create bad objects in a loop do not keep others from creating good ones, and do not fill the log', async () => {
  const many = Array.from({ length: 300 }, (_, index) => context(`${'cluster-'.repeat(8)}${index}`));
  await stage.publish([...many, ...contexts]);
  const webhook = await stage.startWebhook();
  await webhook.ready();
  await webhook.says('catalog of contexts read');
  const names = ['good', ...Array.from({ length: 8 }, (_, index) => `bad-${index}`)];
  const [good, ...bad] = await Promise.all(names.map((name) => Tenant.settle(stage.source, name)));
  const badList = Array.from({ length: 10 }, (_, index) => `${'cluster-'.repeat(31)}${index}`).join();
  await eventually('the rights are known', async () => {
    expect((await good?.create('context-1'))?.status).toBe(201);
  });

  const over = new AbortController();
  const refusals = bad.map(async (tenant) => {
    const statuses = new Set<number>();
    while (!over.signal.aborted) {
      statuses.add((await tenant.create(badList)).status);
    }
    tenant.leave();
    return [...statuses];
  });
  const created = new Set<number | undefined>();
  for (let index = 0; index < 60; index++) {
    created.add((await good?.create('context-1,context-2'))?.status);
  }
  over.abort();
  good?.leave();
  expect([...created]).toEqual([201]);
  expect(await Promise.all(refusals)).toEqual(bad.map(() => [422]));
  expect(webhook.messages.filter((message) => message === 'object refused').length).toBeLessThanOrEqual(40);
});

test('a rolling restart of two replicas fails no call', async () => {
  await stage.setConfiguration();
  await stage.publish(contexts);
  const balancer = await Balancer.listen(stage.port);
  const replicas: { readonly port: number; readonly process: WebhookProcess }[] = [];
  onTestFinished(async () => {
    balancer.close();
    await Promise.all(replicas.map(({ process }) => process.kill()));
  });
  const add = async (): Promise<void> => {
    const port = await freePort();
    const process = stage.launchWebhook(port);
    replicas.push({ port, process });
    await process.ready();
    await process.says('catalog of contexts read');
    balancer.use(replicas.map((replica) => replica.port));
  };
  await Promise.all([add(), add()]);
  const load = new Load(stage.source, 'context-1', 4);
  for (const old of replicas.slice()) {
    await add();
    replicas.splice(replicas.indexOf(old), 1);
    balancer.use(replicas.map(({ port }) => port));
    expect(await old.process.stop()).toBe(0);
  }
  expect(new Set((await load.end()).map(({ status }) => status))).toEqual(new Set([201]));
});

test('a caBundle that is wiped under load is put back, and only calls before that fail, for want of trust', async () => {
  await stage.setConfiguration(undefined, null);
  await stage.publish(contexts);
  const webhook = await stage.startWebhook([], ['--serving-names=localhost,127.0.0.1']);
  onTestFinished(() => stage.setConfiguration());
  await webhook.ready();
  await webhook.says('catalog of contexts read');
  const trusted = async (): Promise<void> => {
    await eventually('the API server trusts the webhook', async () => {
      expect((await create(yaml('wiped', 'context-9'))).stderr).toContain(unknown);
    });
  };
  await trusted();
  const load = new Load(stage.source, 'context-1', 2);
  const outages: { readonly from: number; readonly to: number }[] = [];
  for (let wipe = 0; wipe < 5; wipe++) {
    const from = performance.now();
    await stage.wipeCaBundle();
    await eventually('the caBundle is back', async () => {
      expect(await stage.caBundle()).not.toBe('');
    });
    await trusted();
    outages.push({ from, to: performance.now() });
    const { answered } = load;
    await eventually('calls go on', () => {
      expect(load.answered).toBeGreaterThan(answered + 20);
    });
  }
  const failed = (await load.end()).filter(({ status }) => status !== 201);
  expect(failed.filter(({ message }) => message?.includes('x509: ') !== true)).toEqual([]);
  const outside = failed.filter(
    ({ began, ended }) => !outages.some(({ from, to }) => began < to && ended > from),
  );
  expect(outside).toEqual([]);
});

test('a webhook configuration with another prefix makes it unready, until one of them is corrected', async () => {
  await serve();
  await stage.setConfiguration((text) => text.replaceAll('kubed.appscode.com', 'other.example'));
  await stage.webhook.says('webhook configuration is wrong');
  const { status, body } = await stage.webhook.readyz();
  expect(status).toBe(500);
  expect(body).toContain(
    `[-]configuration failed: ValidatingWebhookConfiguration "context-syncer": the match conditions of webhook "sync-contexts.context-syncer.dev" name other.example/sync-contexts, but must name ${syncContexts}; correct them, or --annotation-prefix.`,
  );
  await stage.setConfiguration();
  await stage.webhook.ready();
});

test('a webhook configuration whose match conditions an operator rewrote is a warning, and objects are refused as before', async () => {
  const anew = `object.metadata.?annotations.orValue({}).exists(k, k.startsWith('kubed.appscode.com/') && k.endsWith('sync-contexts'))`;
  await stage.setConfiguration((text) =>
    text.replace(/expression: >-[^]*$/, `expression: ${JSON.stringify(anew)}\n`),
  );
  await serve();
  await stage.webhook.says('webhook configuration is wrong');
  expect((await stage.webhook.readyz()).status).toBe(200);
  expect(await stage.webhook.metric('context_syncer_webhook_configuration_problems')).toEqual([
    'context_syncer_webhook_configuration_problems 1',
  ]);
  expect((await create(yaml('anew', 'context-9'))).stderr).toContain(unknown);
  await stage.setConfiguration();
});

test('kubectl shows that the webhook has no room', async () => {
  await stage.setConfiguration();
  const clock = systemClock();
  const server = new WebhookServer({
    address: { host: '127.0.0.1', port: stage.port },
    clock,
    logger: silentLogger,
    times: { lameDuckMs: 0 },
  });
  const app = reviewApp({
    format: reviewFormat(),
    wanted: wantedOf(keysOf('kubed.appscode.com')),
    answer: ({ uid }) => ({ uid, allowed: true }),
    budget: new BodyBudget(0),
    clock,
    logger: silentLogger,
  });
  await server.listen(app);
  onTestFinished(() => server.drain());
  server.setSecureContext(await stage.source.ca.serving({ dns: [], ip: ['127.0.0.1'] }));
  expect((await create(yaml('no-room', 'context-1'))).stderr).toBe(
    'Error from server (InternalError): error when creating "STDIN": Internal error occurred: failed calling webhook "sync-contexts.context-syncer.dev": failed to call webhook: an error on the server ("the webhook of context-syncer is overloaded, and the object did not arrive in time; try again") has prevented the request from succeeding\n',
  );
});

test('another prefix works when both have it', async () => {
  await stage.setConfiguration((text) => text.replaceAll('kubed.appscode.com', 'other.example'));
  await serve(['--annotation-prefix=other.example']);
  await create(yaml('prefixed', 'not-looked-at'));
  const annotate = [
    'annotate',
    'configmap',
    'prefixed',
    '-n',
    'demo',
    'other.example/sync-contexts=context-9',
  ];
  expect((await kubectl(annotate)).stderr).toBe(
    `Error from server: ${denied} ConfigMap demo/prefixed: ${unknown}\n`,
  );
  await stage.setConfiguration();
});

test('a certificate that is renewed in its folder is served, and SIGTERM ends in good order', async () => {
  await serve();
  const inUse = () =>
    stage.webhook.messages.filter((message) => message === 'serving certificate in use').length;
  expect(inUse()).toBe(1);
  await stage.writeCertificate();
  await eventually('the new certificate is in use', () => {
    expect(inUse()).toBe(2);
  });
  expect((await create(yaml('renewed', 'context-9'))).stderr).toContain(unknown);
  expect(await stage.webhook.stop()).toBe(0);
  expect(stage.webhook.messages.slice(-2)).toEqual(['stopping', 'stopped']);
});

test('without a folder it makes its own certificates, and the API server comes to trust them', async () => {
  await stage.setConfiguration(undefined, null);
  await stage.publish(contexts);
  const webhook = await stage.startWebhook([], ['--serving-names=localhost,127.0.0.1']);
  await webhook.ready();
  await webhook.says('catalog of contexts read');
  await eventually('the API server has the new caBundle', async () => {
    expect((await create(yaml('own-certificates', 'context-9'))).stderr).toContain(unknown);
  });
  expect(await webhook.metric('context_syncer_ca_certificate_expiry_timestamp_seconds')).toHaveLength(1);
  await stage.setConfiguration();
});

/** Measures the webhook beside an express server that parses the same reviews and answers a constant. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { catalogConfigMapName, catalogKey, formatCatalog } from '../../shared/catalog/document.ts';
import { WebhookProcess } from '../integration/webhook/webhook-process.ts';
import { CertificateAuthority } from '../sandbox/control-plane/certificate-authority.ts';
import { freePort } from '../sandbox/network/free-port.ts';

const usage = `usage: node test/bench/webhook.ts [options]

  --seconds N    of load for each server, rate and kind of review; 120 when absent
  --rates LIST   reviews a second; 300,1000,2500 when absent
  --contexts N   in the catalog; 300 when absent`;

/** Connections of the load: an API server opens one for each review under way. */
const connections = 32;
/** The two servers take turns of this length, so that both meet the same machine. */
const turnSeconds = 5;
const annotation = 'kubed.appscode.com/sync-contexts';
/** Bytes of a review. */
const reviewBytes = 4_800;
/** Ticks of `/proc/PID/stat` in a second. */
const ticksPerSecond = 100;

interface Measured {
  readonly name: string;
  readonly pool: Pool;
  readonly pid: number;
  readonly latencies: number[];
  cpuSeconds: number;
  failures: number;
  firstMemory: number | undefined;
  lastMemory: number;
}

type Kind = 'accepted' | 'refused';

function reviewOf(kind: Kind): string {
  const list = kind === 'accepted' ? 'production-1,production-2' : 'production-x';
  const review = (padding: string): string =>
    JSON.stringify({
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: {
        uid: 'u-1',
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        operation: 'CREATE',
        name: 'omni',
        namespace: 'demo',
        object: {
          metadata: { name: 'omni', namespace: 'demo', annotations: { [annotation]: list } },
          data: { padding },
        },
        oldObject: null,
      },
    });
  return review('x'.repeat(reviewBytes - review('').length));
}

/** Answers what the webhook reads, and keeps its watches open. */
async function fakeApiServer(contexts: number): Promise<Server> {
  const entries = Array.from({ length: contexts }, (_, index) => {
    const name = `production-${index}`;
    return [
      name,
      { name, cluster: `uid-${index}`, identified: true, settling: false, isSource: false },
    ] as const;
  });
  const configMap = {
    metadata: { name: catalogConfigMapName, namespace: 'context-syncer', resourceVersion: '1' },
    data: { [catalogKey]: formatCatalog({ contexts: new Map(entries) }) },
  };
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    response.setHeader('Content-Type', 'application/json');
    if (url.includes('watch=')) {
      response.flushHeaders();
    } else {
      const items = url.includes('/configmaps') ? [configMap] : [];
      response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items }));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

function measured(name: string, port: number, pid: number): Measured {
  const pool = new Pool(`https://127.0.0.1:${port}`, {
    connections,
    pipelining: 1,
    connect: { rejectUnauthorized: false },
  });
  return {
    name,
    pool,
    pid,
    latencies: [],
    cpuSeconds: 0,
    failures: 0,
    firstMemory: undefined,
    lastMemory: 0,
  };
}

/** Sends reviews at a fixed rate, whether or not they are answered. */
async function turn(server: Measured, body: string, rate: number, seconds: number): Promise<void> {
  const ask = async (): Promise<void> => {
    const sent = performance.now();
    try {
      const answer = await server.pool.request({
        method: 'POST',
        path: '/validate?timeout=3s',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await answer.body.text();
      server.failures += answer.statusCode === 200 ? 0 : 1;
      server.latencies.push(performance.now() - sent);
    } catch {
      server.failures++;
    }
  };
  const before = await cpuSecondsOf(server.pid);
  const began = performance.now();
  const asked: Promise<void>[] = [];
  while (asked.length < rate * seconds) {
    const due = Math.min(rate * seconds, ((performance.now() - began) / 1000) * rate);
    while (asked.length < due) {
      asked.push(ask());
    }
    await sleep(1);
  }
  await Promise.all(asked);
  server.cpuSeconds += (await cpuSecondsOf(server.pid)) - before;
  server.lastMemory = await memoryOf(server.pid);
  server.firstMemory ??= server.lastMemory;
}

function quantile(latencies: readonly number[], share: number): number {
  const sorted = latencies.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function row(kind: Kind, rate: number, reference: Measured, webhook: Measured): string {
  const pair = (of: (server: Measured) => number, digits: number): string => {
    const [one, other] = [of(reference), of(webhook)];
    return `${one.toFixed(digits)} / ${other.toFixed(digits)} (${(other / one).toFixed(2)}x)`;
  };
  const cpu = ({ cpuSeconds, latencies }: Measured): number => (cpuSeconds / latencies.length) * 1e6;
  const memory = ({ firstMemory = 0, lastMemory }: Measured): string =>
    `${firstMemory.toFixed(0)} to ${lastMemory.toFixed(0)}`;
  return [
    '',
    kind,
    String(rate),
    pair(({ latencies }) => quantile(latencies, 0.5), 2),
    pair(({ latencies }) => quantile(latencies, 0.99), 2),
    pair(cpu, 0),
    `${memory(reference)} / ${memory(webhook)}`,
    String(reference.failures + webhook.failures),
    '',
  ]
    .join(' | ')
    .trim();
}

async function measure(
  folder: string,
  seconds: number,
  rates: readonly number[],
  contexts: number,
): Promise<void> {
  const api = await fakeApiServer(contexts);
  const { certPem, keyPem } = await (await CertificateAuthority.create('bench')).serving({
    dns: [],
    ip: ['127.0.0.1'],
  });
  await writeFile(join(folder, 'tls.key'), keyPem, { mode: 0o600 });
  await writeFile(join(folder, 'tls.crt'), certPem);
  const own = {
    'current-context': 'own',
    contexts: [{ name: 'own', context: { cluster: 'own', user: 'own' } }],
    clusters: [{ name: 'own', cluster: { server: `http://127.0.0.1:${portOf(api)}` } }],
    users: [{ name: 'own', user: { token: 'bench' } }],
  };
  await writeFile(join(folder, 'kubeconfig'), JSON.stringify(own));
  const port = await freePort();
  const program = new WebhookProcess([
    `--kubeconfig=${join(folder, 'kubeconfig')}`,
    `--listen=127.0.0.1:${port}`,
    `--cert-dir=${folder}`,
    '--log-level=info',
  ]);
  const constant = spawn(process.execPath, [join(import.meta.dirname, 'constant-webhook.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const constantPort = await new Promise<number>((resolve) => {
      constant.stdout.once('data', (line) => resolve(Number(String(line))));
    });
    await program.ready();
    await program.says('catalog of contexts read');
    console.log('| reviews | a second | p50 ms | p99 ms | CPU µs a review | RSS MiB | failed |');
    console.log('|---|---|---|---|---|---|---|');
    for (const rate of rates) {
      for (const kind of ['accepted', 'refused'] as const) {
        const reference = measured('express', constantPort, constant.pid ?? 0);
        const webhook = measured('webhook', port, program.pid);
        const body = reviewOf(kind);
        // Once before it counts: connections are opened and code is compiled.
        for (const server of [reference, webhook]) {
          await turn(server, body, rate, 2);
          Object.assign(server, { cpuSeconds: 0, failures: 0, firstMemory: undefined });
          server.latencies.length = 0;
        }
        const turns = Math.max(1, Math.round(seconds / turnSeconds));
        for (let index = 0; index < turns; index++) {
          const order = index % 2 === 0 ? [reference, webhook] : [webhook, reference];
          for (const server of order) {
            await turn(server, body, rate, seconds / turns);
          }
        }
        console.log(row(kind, rate, reference, webhook));
        await Promise.all([reference.pool.close(), webhook.pool.close()]);
      }
    }
  } finally {
    constant.kill();
    await program.kill();
    api.closeAllConnections();
    api.close();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '120' },
      rates: { type: 'string', default: '300,1000,2500' },
      contexts: { type: 'string', default: '300' },
    },
  });
  const rates = values.rates.split(',').map(Number);
  const [seconds, contexts] = [Number(values.seconds), Number(values.contexts)];
  if (![...rates, seconds, contexts].every((value) => value > 0)) {
    console.error(usage);
    return 2;
  }
  const folder = await mkdtemp(join(tmpdir(), 'context-syncer-bench-'));
  try {
    await measure(folder, seconds, rates, contexts);
    return 0;
  } finally {
    await rm(folder, { recursive: true });
  }
}

process.exitCode = await main();

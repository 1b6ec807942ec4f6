import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../harness/eventually.ts';
import { syncContexts } from '../../harness/stage.ts';
import { CertificateAuthority } from '../../sandbox/control-plane/certificate-authority.ts';
import { freePort } from '../../sandbox/network/free-port.ts';
import { Attacker, askAsApiServer } from './attacker.ts';
import { WebhookProcess } from './webhook-process.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
/** The memory limit of the manifests; V8 gives half of it to the heap. */
const memoryLimit = 512 * MiB;
const heapLimit = '--max-old-space-size=256';

/** A review of an API server; what else is in it goes into `padding`, which no rule looks at. */
function reviewBody(padding: unknown = ''): string {
  const metadata = { name: 'omni', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } };
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      operation: 'CREATE',
      object: { metadata, padding },
    },
  });
}

const plain = reviewBody();
let folder: string;
let port: number;
let webhook: WebhookProcess;
let attacker: Attacker;

/** There is no API server: the webhook has no catalog and refuses with that reason, in an AdmissionReview. */
async function answersReviews(body = plain): Promise<void> {
  expect(await askAsApiServer(port, body)).toMatchObject({
    kind: 'AdmissionReview',
    response: { uid: 'u-1', allowed: false, status: { code: 503 } },
  });
}

/**
 * Asks for reviews, one after the other, until the attack is over, and once more. Yields the greatest memory of the webhook
 * so far; fails when a review is not answered in time or the webhook has ended.
 */
async function peakMemoryDuring(attack: Promise<unknown>, body = plain): Promise<number> {
  const over = new AbortController();
  const ended = attack.finally(() => {
    over.abort();
  });
  while (!over.signal.aborted) {
    await answersReviews(body);
  }
  await ended;
  await answersReviews(body);
  return await webhook.peakMemory();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'context-syncer-attacks-'));
  const ca = await CertificateAuthority.create('attacks');
  const { certPem, keyPem } = await ca.serving({ dns: [], ip: ['127.0.0.1'] });
  await writeFile(join(folder, 'tls.key'), keyPem, { mode: 0o600 });
  await writeFile(join(folder, 'tls.crt'), certPem);
  const nowhere = {
    'current-context': 'nowhere',
    contexts: [{ name: 'nowhere', context: { cluster: 'nowhere', user: 'nobody' } }],
    clusters: [{ name: 'nowhere', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'nobody', user: { token: 'none' } }],
  };
  await writeFile(join(folder, 'kubeconfig'), JSON.stringify(nowhere));
  port = await freePort();
  webhook = new WebhookProcess(
    [`--kubeconfig=${join(folder, 'kubeconfig')}`, `--listen=127.0.0.1:${port}`, `--cert-dir=${folder}`],
    [heapLimit],
  );
  await eventually('the webhook answers', () => answersReviews());
});

afterAll(async () => {
  await webhook.kill();
  await rm(folder, { recursive: true });
});

beforeEach(() => {
  attacker = new Attacker(port);
});

afterEach(() => {
  attacker.end();
});

test.each<[string, string]>([
  ['tiny elements', `[${'{},'.repeat(5.3 * MiB)}{}]`],
  ['deep nesting', '[{"a":'.repeat(2.6 * MiB)],
  ['context names in one annotation', reviewBody().replace('context-1', 'a,'.repeat(7 * MiB))],
])(
  'four bodies of 16 MiB of %s stay within the memory limit, and reviews are answered',
  async (_what, body) => {
    const attack = Promise.all(Array.from({ length: 4 }, () => attacker.send(body)));
    expect(await peakMemoryDuring(attack)).toBeLessThan(memoryLimit);
  },
);

test('clients that send large bodies and never read the answer do not keep others from large reviews', async () => {
  const body = reviewBody().replace('"uid":"u-1"', `"uid":"u-1","name":"${'n'.repeat(15 * MiB)}"`);
  const attack = Array.from({ length: 4 }, async () => (await attacker.send(body)).pause());
  const peak = await peakMemoryDuring(Promise.all(attack), reviewBody('x'.repeat(2 * MiB)));
  expect(peak).toBeLessThan(memoryLimit);
});

test('2,000 connections that leave out the end of a small body do not exhaust memory', async () => {
  const body = Buffer.alloc(127 * KiB, ' ');
  const open = async (): Promise<void> => {
    for (let connection = 0; connection < 100; connection++) {
      await attacker.send(body, 128 * KiB);
    }
  };
  expect(await peakMemoryDuring(Promise.all(Array.from({ length: 20 }, open)))).toBeLessThan(memoryLimit);
});

test('large bodies that arrive byte by byte do not keep others from large reviews', async () => {
  const stop = new AbortController();
  const drip = async (): Promise<void> => {
    const socket = await attacker.send('{', 16 * MiB);
    while (!stop.signal.aborted && !socket.destroyed) {
      socket.write(' ');
      await sleep(50);
    }
  };
  const attack = Array.from({ length: 20 }, drip);
  const large = reviewBody('x'.repeat(6 * MiB));
  const reviews = Promise.all(Array.from({ length: 16 }, () => answersReviews(large)));
  expect(await peakMemoryDuring(reviews)).toBeLessThan(memoryLimit);
  stop.abort();
  await Promise.all(attack);
});

test('announcements of more than the largest body are refused with 413 at once, and take no room', async () => {
  const attack = Array.from({ length: 50 }, async () => {
    const socket = await attacker.send('{', 17 * MiB);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });
  const peak = await peakMemoryDuring(Promise.all(attack), reviewBody('x'.repeat(2 * MiB)));
  expect(peak).toBeLessThan(memoryLimit);
});

test('3,000 connections without a handshake do not keep others from reviews', async () => {
  for (let connection = 0; connection < 3_000; connection++) {
    attacker.plain();
  }
  expect(await peakMemoryDuring(sleep(0))).toBeLessThan(memoryLimit);
});

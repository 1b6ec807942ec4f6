import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../harness/eventually.ts';
import { Program } from '../../harness/program.ts';
import { CertificateAuthority } from '../../sandbox/control-plane/certificate-authority.ts';
import { trustedJson } from '../../sandbox/json.ts';
import { freePort } from '../../sandbox/network/free-port.ts';
import type { Side } from '../result.ts';
import { FakeApiServer } from './fake-api-server.ts';
import { MeasuredServer } from './measured-server.ts';
import { reviewBody, type Verdict, verdicts } from './review-body.ts';

const constantWebhook = join(import.meta.dirname, 'constant-webhook.ts');
/** The API server adds its time-out. */
const query = '?timeout=3s';

/** The webhook, and an express server that parses the same reviews and answers what the webhook answered to one. */
export class WebhookPair implements AsyncDisposable {
  readonly bodies: Readonly<Record<Verdict, string>>;
  readonly #stack: AsyncDisposableStack;
  readonly #servers: Readonly<Record<Side, MeasuredServer>>;

  private constructor(
    stack: AsyncDisposableStack,
    servers: Readonly<Record<Side, MeasuredServer>>,
    bodies: Readonly<Record<Verdict, string>>,
  ) {
    this.#stack = stack;
    this.#servers = servers;
    this.bodies = bodies;
  }

  static async start(contexts: number, reviewBytes: number): Promise<WebhookPair> {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'context-syncer-bench-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const api = stack.use(await FakeApiServer.listen(contexts));
    const ca = await CertificateAuthority.create('bench');
    const { certPem, keyPem } = await ca.serving({ dns: [], ip: ['127.0.0.1'] });
    await writeFile(join(folder, 'tls.key'), keyPem, { mode: 0o600 });
    await writeFile(join(folder, 'tls.crt'), certPem);
    const webhook = stack.use(await startWebhook(folder, api.url, stack));
    const bodies = {
      accepted: reviewBody('accepted', reviewBytes),
      refused: reviewBody('refused', reviewBytes),
    };
    const answers: Partial<Record<Verdict, unknown>> = {};
    for (const verdict of verdicts) {
      const { text } = await webhook.ask(`/validate${query}`, bodies[verdict]);
      const answer = trustedJson<{ readonly response: { readonly allowed: boolean } }>(text);
      if (answer.response.allowed !== (verdict === 'accepted')) {
        throw new Error(`the webhook answered otherwise than ${verdict}: ${text}`);
      }
      answers[verdict] = answer;
    }
    await writeFile(join(folder, 'answers.json'), JSON.stringify(answers));
    const reference = stack.use(await startConstant(folder, stack));
    return new WebhookPair(stack.move(), { product: webhook, reference }, bodies);
  }

  server(side: Side): MeasuredServer {
    return this.#servers[side];
  }

  path(side: Side, verdict: Verdict): string {
    return side === 'product' ? `/validate${query}` : `/${verdict}${query}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function startWebhook(
  folder: string,
  apiUrl: string,
  stack: AsyncDisposableStack,
): Promise<MeasuredServer> {
  const kubeconfig = join(folder, 'kubeconfig');
  const config = {
    'current-context': 'own',
    contexts: [{ name: 'own', context: { cluster: 'own', user: 'own' } }],
    clusters: [{ name: 'own', cluster: { server: apiUrl } }],
    users: [{ name: 'own', user: {} }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  const port = await freePort();
  const program = new Program([
    'webhook',
    `--kubeconfig=${kubeconfig}`,
    `--listen=127.0.0.1:${port}`,
    `--cert-dir=${folder}`,
    '--health-address=127.0.0.1:0',
    '--metrics-address=127.0.0.1:0',
  ]);
  stack.defer(async () => {
    await program.stop();
  });
  await program.ready();
  await eventually('the webhook knows the contexts', () => {
    if (!program.log.some(({ msg }) => msg === 'catalog of contexts read')) {
      throw new Error(program.output.slice(-2000));
    }
  });
  return new MeasuredServer(port, program.pid);
}

async function startConstant(folder: string, stack: AsyncDisposableStack): Promise<MeasuredServer> {
  const child = spawn(process.execPath, [constantWebhook, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  stack.defer(() => end(child));
  const port = await new Promise<number>((resolve) => {
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
  });
  return new MeasuredServer(port, child.pid ?? 0);
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  child.kill();
  await ended;
}

import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { LocalBase } from '../harness/local-base.ts';
import {
  baseFolder,
  configurationName,
  installCertManagerKinds,
  overlayFolder,
} from '../harness/manifests.ts';
import type { Program } from '../harness/program.ts';
import { syncContexts, useStage } from '../harness/stage.ts';
import { freePort } from '../sandbox/network/free-port.ts';

const stage = useStage({ targets: 0 });
const configuration = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${configurationName}`;

/** What a Service does: connections to one port go to the pod that is ready. */
class LocalService {
  readonly port: number;
  backend = 0;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<LocalService> {
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const upstream = connect({ host: '127.0.0.1', port: service.backend });
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => sockets.delete(socket));
        socket.pipe(other);
      }
    });
    const service = new LocalService(await freePort());
    server.listen(service.port, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return service;
  }
}

/** What the API server says of an object that the webhook refuses whenever it is reached. */
async function call(): Promise<string> {
  const { body } = await stage().source.request<{ message?: string }>(
    'POST',
    '/api/v1/namespaces/default/configmaps?dryRun=All',
    { metadata: { name: 'mistaken', annotations: { [syncContexts]: 'no-such-context' } } },
    { allowFailure: true },
  );
  return body.message ?? 'accepted';
}

/** Such objects, one after the other. */
class Traffic {
  calls = 0;
  readonly failures: string[] = [];

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const message = await call();
      this.calls += 1;
      if (!message.includes('denied the request')) this.failures.push(message);
    }
  }

  /** Resolves when this many more calls were answered. */
  async goesOn(count = 30): Promise<void> {
    const until = this.calls + count;
    await eventually('more calls are answered', () => {
      if (this.calls < until) throw new Error(`${until - this.calls} are missing`);
    });
  }
}

async function liveBundle(): Promise<string> {
  const { body } = await stage().source.request<{
    readonly webhooks: readonly [{ readonly clientConfig: { readonly caBundle?: string } }];
  }>('GET', configuration);
  return Buffer.from(body.webhooks[0].clientConfig.caBundle ?? '', 'base64').toString();
}

/** The certificates of a PEM text. */
function blocks(text: string): readonly string[] {
  return text.split(/(?=-----BEGIN)/).filter((block) => block.startsWith('-----BEGIN'));
}

async function setBundle(text: string): Promise<void> {
  const value = Buffer.from(text).toString('base64');
  await stage().source.request(
    'PATCH',
    configuration,
    [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value }],
    { contentType: 'application/json-patch+json' },
  );
}

test('the documented switch to cert-manager, and back, goes without a failed call', async () => {
  const { source, sandbox } = stage();
  await installCertManagerKinds(source);
  const service = await LocalService.start();
  const certificates = join(sandbox.folder, 'certificate');
  await mkdir(certificates);
  const prepare = async (from: string): Promise<LocalBase> =>
    await LocalBase.prepare({ sandbox, folder: sandbox.folder, webhookPort: service.port, from });
  const [base, step, final] = [
    await prepare(baseFolder),
    await prepare(overlayFolder('cert-manager-switch')),
    await prepare(overlayFolder('cert-manager')),
  ];
  const apply = async ({ overlay }: LocalBase): Promise<void> => {
    await source.kubectl(['apply', '-k', overlay]);
  };
  /** A pod of the new version takes the place of the one before. */
  const roll = async (to: LocalBase, before?: Program): Promise<Program> => {
    const port = await freePort();
    const program = stage().launch(
      (await to.webhookArguments()).map((arg) =>
        arg
          .replace(/^--listen=.*/, `--listen=127.0.0.1:${port}`)
          .replace(/^--cert-dir=.*/, `--cert-dir=${certificates}`),
      ),
    );
    await program.ready();
    service.backend = port;
    await before?.stop();
    return program;
  };

  await apply(base);
  const own = await roll(base);
  await eventually('the webhook is called', async () => {
    expect(await call()).toContain('denied the request');
  });
  const traffic = new Traffic();
  const stop = new AbortController();
  const ended = traffic.run(stop.signal);
  await traffic.goesOn();

  // 1. cert-manager issues.
  const { certPem, keyPem } = await source.ca.serving({ dns: [], ip: ['127.0.0.1'] });
  await writeFile(join(certificates, 'tls.crt'), certPem);
  await writeFile(join(certificates, 'tls.key'), keyPem, { mode: 0o600 });
  // 2. Its CA is added, and stays.
  const ownCa = await liveBundle();
  const theirCa = source.caPem.replaceAll('\r\n', '\n');
  // The remark goes as soon as the webhook has seen it: then it has decided what to keep.
  await setBundle(`# added\n${ownCa}${theirCa}`);
  await eventually('the webhook wrote both', async () => {
    const text = await liveBundle();
    expect(text).not.toContain('# added');
    expect(new Set(blocks(text))).toEqual(new Set(blocks(ownCa + theirCa)));
  });
  await traffic.goesOn();
  // 3. Pods are replaced.
  await apply(step);
  const theirs = await roll(step, own);
  await traffic.goesOn();
  // 4. cert-manager writes the caBundle.
  await apply(final);
  await setBundle(theirCa);
  await traffic.goesOn();
  expect(await liveBundle()).toBe(theirCa);
  // And back.
  await apply(base);
  await roll(base, theirs);
  await traffic.goesOn();
  stop.abort();
  await ended;
  expect(traffic.failures).toEqual([]);
});

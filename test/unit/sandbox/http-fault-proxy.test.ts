import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority } from '../../sandbox/control-plane/certificate-authority.ts';
import { type HttpFault, HttpFaultProxy, type PassingWrite } from '../../sandbox/network/http-fault-proxy.ts';
import { type LocalServer, serve } from '../shared/kube/local-server.ts';

let ca: CertificateAuthority;
const configMaps = '/api/v1/namespaces/a/configmaps';

beforeAll(async () => {
  ca = await CertificateAuthority.create('test');
});

interface Call {
  readonly method?: 'GET' | 'POST';
  readonly path?: string;
}

interface Scene {
  readonly proxy: HttpFaultProxy;
  readonly server: LocalServer;
  /** The status and the text, or the failure's code. */
  readonly send: (call?: Call) => Promise<readonly [number | string, string]>;
}

/** A proxy before a server that answers "METHOD PATH" (or `frames` of a watch), and a client that trusts it. */
async function scene(frames: readonly string[] = []): Promise<Scene> {
  const { certPem: cert, keyPem: key } = await ca.serving({ dns: ['localhost'], ip: ['127.0.0.1'] });
  const server = await serve(
    ({ method, url }, response) => {
      response.end(url?.includes('watch=true') === true ? frames.join('') : `${method} ${url}`);
    },
    { cert, key },
  );
  const proxy = await HttpFaultProxy.start({ port: server.port, caPem: ca.certPem }, ca);
  const dispatcher = new Agent({ connect: { ca: ca.certPem } });
  onTestFinished(async () => {
    await dispatcher.destroy();
    await proxy.close();
    await server[Symbol.asyncDispose]();
  });
  const send = async ({
    method = 'GET',
    path = configMaps,
  }: Call = {}): Promise<readonly [number | string, string]> => {
    try {
      const answer = await request(`${proxy.url}${path}`, {
        method,
        dispatcher,
        headers: { authorization: 'Bearer token-1' },
        ...(method === 'POST' ? { body: '{}' } : {}),
      });
      return [answer.statusCode, await answer.body.text()];
    } catch (error) {
      return [error instanceof Error && 'code' in error ? String(error.code) : String(error), ''];
    }
  };
  return { proxy, server, send };
}

test('without a fault, requests and answers pass', async () => {
  const { send, server } = await scene();
  expect(await send()).toEqual([200, `GET ${configMaps}`]);
  expect(await send({ method: 'POST' })).toEqual([200, `POST ${configMaps}`]);
  expect(server.requests[0]?.headers.authorization).toBe('Bearer token-1');
});

test('every n-th request is answered with a status and does not reach the server, until the fault ends', async () => {
  const { proxy, send, server } = await scene();
  const lift = proxy.inject({ kind: 'answer', status: 429, every: 2 });
  const statuses = [await send(), await send(), await send(), await send()].map(([status]) => status);
  expect(statuses).toEqual([200, 429, 200, 429]);
  expect(server.requests).toHaveLength(2);
  lift();
  expect([await send(), await send()].map(([status]) => status)).toEqual([200, 200]);
});

test('a fault of reads alone is about lists and reads of ConfigMaps and Secrets', async () => {
  const { proxy, send } = await scene();
  proxy.inject({ kind: 'answer', status: 500, every: 1, only: 'reads' });
  const calls = [
    {},
    { path: `${configMaps}?watch=true` },
    { path: '/api/v1/namespaces/kube-system' },
    { method: 'POST' as const },
  ];
  const statuses: (string | number)[] = [];
  for (const call of calls) {
    statuses.push((await send(call))[0]);
  }
  expect(statuses).toEqual([500, 200, 200, 200]);
});

test('the answer of a write is lost, and the write reached the server; reads are answered', async () => {
  const { proxy, send, server } = await scene();
  proxy.inject({ kind: 'lose-answers', every: 1 });
  expect((await send({ method: 'POST' }))[0]).not.toBe(200);
  expect(server.requests.map(({ method }) => method)).toEqual(['POST']);
  expect((await send())[0]).toBe(200);
});

test('a proxy that refuses ends connections, one that is silent holds answers back', async () => {
  const { proxy, send } = await scene();
  const lift = proxy.inject({ kind: 'refuse' });
  expect((await send())[0]).not.toBe(200);
  lift();
  const speak = proxy.inject({ kind: 'silent' });
  const sent = send();
  expect(await Promise.race([sent, sleep(50, 'nothing yet')])).toBe('nothing yet');
  speak();
  expect((await sent)[0]).toBe(200);
});

test.each<readonly [HttpFault['kind'], HttpFault, readonly string[]]>([
  ['repeat-events', { kind: 'repeat-events' }, ['a', 'a', 'b', 'b']],
  ['delay-events', { kind: 'delay-events', ms: 5 }, ['a', 'b']],
  ['delay-events', { kind: 'delay-events', ms: 60_000, resource: 'secrets' }, ['a', 'b']],
])('events of a watch under %s', async (_kind, fault, seen) => {
  const { proxy, send } = await scene(['a\n', 'b\n']);
  proxy.inject(fault);
  const [status, text] = await send({ path: `${configMaps}?watch=true` });
  expect([status, text.trim().split('\n')]).toEqual([200, seen]);
});

test('writes are shown before and after, and can be kept from the server', async () => {
  const { proxy, send, server } = await scene();
  const shown: PassingWrite[] = [];
  const end = proxy.onWrite((write) => {
    shown.push(write);
    return shown.length !== 3;
  });
  await send({ method: 'POST' });
  await send();
  await send({ method: 'POST', path: `${configMaps}?dryRun=All` });
  expect(shown).toEqual([
    { method: 'POST', path: configMaps, token: 'token-1', when: 'before' },
    { method: 'POST', path: configMaps, token: 'token-1', when: 'after' },
  ]);
  const reached = server.requests.length;
  expect((await send({ method: 'POST' }))[0]).not.toBe(200);
  expect(server.requests).toHaveLength(reached);
  end();
  await send({ method: 'POST' });
  expect(shown).toHaveLength(3);
});

test('the address can lead to another server', async () => {
  const [first, second] = [await scene(), await scene()];
  await first.send();
  first.proxy.lead({ port: second.server.port, caPem: ca.certPem });
  await first.send();
  expect([first.server.requests.length, second.server.requests.length]).toEqual([1, 1]);
});

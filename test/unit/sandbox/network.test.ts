import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ConnectProxy } from '../../sandbox/network/connect-proxy.ts';
import { FaultProxy } from '../../sandbox/network/fault-proxy.ts';
import { freePort } from '../../sandbox/network/free-port.ts';

/** Answers every chunk with the same chunk, and counts them. */
async function echoServer(): Promise<{ port: number; received: () => string }> {
  let received = '';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk.toString();
      socket.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('the server listens on no port');
  }
  return { port: address.port, received: () => received };
}

async function client(to: { host: string; port: number }): Promise<Socket> {
  const socket = connect(to);
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return socket;
}

async function nextText(socket: Socket): Promise<string> {
  return await new Promise((resolve) => {
    socket.once('data', (chunk) => resolve(chunk.toString()));
  });
}

async function faultProxy(upstream: { port: number }, host?: string): Promise<FaultProxy> {
  const proxy = await FaultProxy.start(upstream, host);
  onTestFinished(() => proxy.close());
  return proxy;
}

test('a fault proxy passes bytes both ways and counts connections', async () => {
  const proxy = await faultProxy(await echoServer());
  const socket = await client(proxy);
  socket.write('hello');
  expect(await nextText(socket)).toBe('hello');
  expect(proxy.connections).toEqual({ accepted: 1, open: 1 });
});

test('a fault proxy is another address of the same server', async () => {
  const proxy = await faultProxy(await echoServer(), '127.0.0.2');
  expect(proxy.url).toMatch(/^https:\/\/127\.0\.0\.2:\d+$/);
  const socket = await client(proxy);
  socket.write('hello');
  expect(await nextText(socket)).toBe('hello');
});

test('silence keeps connections and holds bytes back, which arrive in order when it ends', async () => {
  const echo = await echoServer();
  const proxy = await faultProxy(echo);
  const standing = await client(proxy);
  standing.write('before;');
  expect(await nextText(standing)).toBe('before;');

  await proxy.setMode('silent');
  standing.write('one;');
  const fresh = await client(proxy);
  fresh.write('two;');
  await expect.poll(() => proxy.connections.open).toBe(2);
  expect(echo.received()).toBe('before;');

  await proxy.setMode('pass');
  expect(await nextText(standing)).toBe('one;');
  await expect.poll(echo.received).toContain('two;');
});

test('refusal resets open connections and refuses new ones, until it ends', async () => {
  const proxy = await faultProxy(await echoServer());
  const standing = await client(proxy);
  const reset = once(standing, 'error');
  await proxy.setMode('refuse');
  expect(String(await reset)).toContain('ECONNRESET');
  await expect(client(proxy)).rejects.toThrow('ECONNREFUSED');

  await proxy.setMode('pass');
  const again = await client(proxy);
  again.write('hello');
  expect(await nextText(again)).toBe('hello');
});

test('a cut resets open connections and lets new ones pass', async () => {
  const proxy = await faultProxy(await echoServer());
  const standing = await client(proxy);
  standing.write('hello');
  await nextText(standing);
  const reset = once(standing, 'error');
  expect(proxy.cut()).toBe(1);
  expect(String(await reset)).toContain('ECONNRESET');
  await client(proxy);
});

test('a delay holds back each chunk by at least that, in both directions', async () => {
  const proxy = await faultProxy(await echoServer());
  await proxy.setMode({ delayMs: 50 });
  const socket = await client(proxy);
  const began = performance.now();
  socket.write('hello');
  expect(await nextText(socket)).toBe('hello');
  // Timers of Node may fire up to a millisecond early.
  expect(performance.now() - began).toBeGreaterThanOrEqual(98);
});

test('a fault proxy can be closed in every mode, with open connections', async () => {
  const echo = await echoServer();
  for (const mode of ['pass', 'silent', 'refuse', { delayMs: 1000 }] as const) {
    const proxy = await FaultProxy.start(echo);
    const socket = await client(proxy);
    socket.on('error', () => {});
    socket.write('hello');
    await proxy.setMode(mode);
    await proxy.close();
    await expect(client(proxy)).rejects.toThrow('ECONNREFUSED');
  }
});

test('a CONNECT proxy tunnels, and says where to', async () => {
  const echo = await echoServer();
  const proxy = await ConnectProxy.start();
  onTestFinished(() => proxy.close());
  const asked = request({
    host: '127.0.0.1',
    port: new URL(proxy.url).port,
    method: 'CONNECT',
    path: `kubernetes.default:${echo.port}`,
  });
  const connected = new Promise<Socket>((resolve) => {
    asked.once('connect', (_response, socket) => resolve(socket));
  });
  asked.end();
  const socket = await connected;
  socket.write('hello');
  expect(await nextText(socket)).toBe('hello');
  expect(proxy.targets).toEqual([`kubernetes.default:${echo.port}`]);
});

test('a free port is one that nobody listens on, below those of outgoing connections', async () => {
  const taken = createServer();
  const port = await freePort();
  taken.listen(port, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => {
    taken.close();
  });
  const sameThenOther = [(port - 20_000) / 12_768, 0.5].values();
  const next = await freePort(() => sameThenOther.next().value ?? 0.25);
  expect(next).not.toBe(port);
  expect(next).toBeLessThan(32_768);
});

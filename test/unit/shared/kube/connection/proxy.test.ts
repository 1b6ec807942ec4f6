import { createServer, type IncomingMessage } from 'node:http';
import { connect as connectSocket, createServer as createTcpServer, type Socket } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { configMaps } from '../../../../../shared/kube/resource.ts';
import {
  CertificateAuthority,
  type KeyAndCertificate,
} from '../../../../sandbox/control-plane/certificate-authority.ts';
import { headerLines, json, type LocalServer, listen, serve } from '../local-server.ts';
import { connectTo, failure } from './fixture.ts';

let ca: CertificateAuthority;
let serving: KeyAndCertificate;

beforeAll(async () => {
  ca = await CertificateAuthority.create('ca');
  serving = await ca.serving({ dns: ['kubernetes'], ip: ['127.0.0.1'] });
});

interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Host and port of every tunnel that was asked for. */
  readonly tunnels: string[];
  readonly connects: IncomingMessage[];
}

async function httpProxy(allow = true): Promise<Proxy> {
  const tunnels: string[] = [];
  const connects: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    tunnels.push(request.url ?? '');
    connects.push(request);
    const [host = '', port] = (request.url ?? '').split(':');
    if (!allow) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    const upstream = connectSocket(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    sockets.add(upstream);
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  const port = await listen(server);
  return {
    url: `http://user:pw@127.0.0.1:${port}`,
    tunnels,
    connects,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** SOCKS 5 without authentication, CONNECT to IPv4 addresses and names (RFC 1928). */
async function socksProxy(): Promise<Omit<Proxy, 'connects'>> {
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.from([5, 0]));
      socket.once('data', (request: Buffer) => {
        const named = request[3] === 3;
        const length = named ? (request[4] ?? 0) : 4;
        const start = named ? 5 : 4;
        const address = request.subarray(start, start + length);
        const host = named ? address.toString() : [...address].join('.');
        const port = request.readUInt16BE(start + length);
        tunnels.push(`${host}:${port}`);
        const upstream = connectSocket(port, '127.0.0.1', () => {
          socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
          upstream.pipe(socket).pipe(upstream);
        });
        sockets.add(upstream);
        upstream.on('error', () => socket.destroy());
      });
    });
  });
  const port = await listen(server);
  return {
    url: `socks5://127.0.0.1:${port}`,
    tunnels,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function target(): Promise<LocalServer> {
  return await serve((_request, response) => json(response, 200, { metadata: { name: 'x' } }), {
    cert: serving.certPem,
    key: serving.keyPem,
  });
}

test('through an HTTP proxy: in tunnels that are used again, with its password, end to end encrypted', async () => {
  await using server = await target();
  await using proxy = await httpProxy();
  await using connection = connectTo(
    {
      server: server.url,
      proxyUrl: proxy.url,
      certificateAuthority: { text: ca.certPem },
      token: { text: 'secret' },
      impersonate: { user: 'alice', groups: ['a', 'b'], extra: {} },
    },
    { maxConnections: 2 },
  );
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(Array.from({ length: 4 }, () => connection.client.get(configMaps, 'demo', 'x')));
  }
  expect(proxy.tunnels).toEqual([`127.0.0.1:${server.port}`, `127.0.0.1:${server.port}`]);
  expect(proxy.connects[0]?.headers['proxy-authorization']).toBe(
    `Basic ${Buffer.from('user:pw').toString('base64')}`,
  );
  expect(proxy.connects[0]?.headers.authorization).toBeUndefined();
  const [request] = server.requests;
  expect(request?.headers.authorization).toBe('Bearer secret');
  expect(request?.headers['proxy-authorization']).toBeUndefined();
  expect(request === undefined ? [] : headerLines(request, 'impersonate-group')).toEqual(['a', 'b']);
});

test('through a proxy the certificate is still checked', async () => {
  await using server = await target();
  await using proxy = await httpProxy();
  await using connection = connectTo({ server: server.url, proxyUrl: proxy.url });
  expect(await failure(connection.client.ping())).toMatchObject({
    reason: 'CertificateNotTrusted',
    sent: false,
  });
});

test('when a proxy refuses, nothing was sent, and its password does not show', async () => {
  await using server = await target();
  await using proxy = await httpProxy(false);
  await using connection = connectTo({ server: server.url, proxyUrl: proxy.url });
  const error = await failure(connection.client.ping());
  expect(error).toMatchObject({ reason: 'Other', sent: false });
  expect(String(error)).not.toContain('pw');
});

test('through a SOCKS proxy, which resolves the name, in no more tunnels than allowed', async () => {
  await using server = await target();
  await using proxy = await socksProxy();
  await using connection = connectTo(
    {
      server: `https://kubernetes:${server.port}`,
      proxyUrl: proxy.url,
      certificateAuthority: { text: ca.certPem },
    },
    { maxConnections: 2 },
  );
  await Promise.all(Array.from({ length: 8 }, () => connection.client.get(configMaps, 'demo', 'x')));
  await Promise.all(Array.from({ length: 8 }, () => connection.client.get(configMaps, 'demo', 'x')));
  expect(proxy.tunnels).toEqual([`kubernetes:${server.port}`, `kubernetes:${server.port}`]);
});

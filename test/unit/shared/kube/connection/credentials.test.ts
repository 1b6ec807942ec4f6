import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PayloadObject } from '../../../../../shared/kube/object.ts';
import { configMaps } from '../../../../../shared/kube/resource.ts';
import {
  CertificateAuthority,
  type KeyAndCertificate,
} from '../../../../sandbox/control-plane/certificate-authority.ts';
import { headerLines, json, type LocalServer, type Respond, serve, status } from '../local-server.ts';
import { connectTo, failure, type TestClient, until } from './fixture.ts';

let ca: CertificateAuthority;
let other: CertificateAuthority;
let serving: KeyAndCertificate;
let alice: KeyAndCertificate;
let bob: KeyAndCertificate;
let folder: string;

beforeAll(async () => {
  [ca, other] = await Promise.all([CertificateAuthority.create('ca'), CertificateAuthority.create('other')]);
  [serving, alice, bob] = await Promise.all([
    ca.serving({ dns: ['kubernetes'], ip: ['127.0.0.1'] }),
    ca.client('alice', []),
    ca.client('bob', []),
  ]);
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'context-syncer-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Replaced in one step, as the kubelet does. */
async function put(name: string, content: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
  return file;
}

/** Answers with the common name of the client's certificate. */
const whoami: Respond = (request, response) => {
  const { socket } = request;
  const subject: unknown = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined;
  json(response, 200, {
    metadata: { name: 'x' },
    data: { user: typeof subject === 'string' ? subject : 'nobody' },
  });
};

/** The user that a `whoami` server sees. */
async function seenAs({ client }: TestClient): Promise<string | undefined> {
  return (await client.get<PayloadObject>(configMaps, 'demo', 'x')).data?.['user'];
}

async function serveTls(respond: Respond = whoami): Promise<LocalServer> {
  return await serve(respond, {
    cert: serving.certPem,
    key: serving.keyPem,
    ca: ca.certPem,
    requestCert: true,
    rejectUnauthorized: false,
  });
}

/** A server that knows one token. */
function tokenServer(valid: () => string): Respond {
  return (request, response) => {
    const known = request.headers.authorization === `Bearer ${valid()}`;
    json(response, known ? 200 : 401, known ? { metadata: { name: 'x' } } : status(401, 'Unauthorized'));
  };
}

describe('who the server is', () => {
  test('is proven by its certificate authority', async () => {
    await using server = await serveTls();
    await using connection = connectTo({ server: server.url, certificateAuthority: { text: ca.certPem } });
    expect(await seenAs(connection)).toBe('nobody');
  });

  test('is not proven by another one: nothing was sent', async () => {
    await using server = await serveTls();
    await using connection = connectTo({ server: server.url, certificateAuthority: { text: other.certPem } });
    const error = await failure(connection.client.ping());
    expect(error).toMatchObject({ reason: 'CertificateNotTrusted', sent: false });
    expect(server.requests).toHaveLength(0);
  });

  test('is checked under its own name, or under the one to check', async () => {
    await using server = await serveTls();
    const settings = {
      server: `https://localhost:${server.port}`,
      certificateAuthority: { text: ca.certPem },
    };
    await using wrong = connectTo(settings);
    expect(await failure(wrong.client.ping())).toMatchObject({
      reason: 'CertificateNotTrusted',
      sent: false,
    });
    await using right = connectTo({ ...settings, tlsServerName: 'kubernetes' });
    expect(await seenAs(right)).toBe('nobody');
  });

  test('is not verified when the kubeconfig says so', async () => {
    await using server = await serveTls();
    await using connection = connectTo({ server: server.url, insecureSkipTlsVerify: true });
    expect(await seenAs(connection)).toBe('nobody');
  });

  test('plain HTTP behind https://', async () => {
    await using server = await serve(whoami);
    await using connection = connectTo({ server: `https://127.0.0.1:${server.port}` });
    expect(await failure(connection.client.ping())).toMatchObject({ reason: 'Other', sent: false });
  });
});

describe('who we are', () => {
  test('is proven by a client certificate', async () => {
    await using server = await serveTls();
    await using connection = connectTo({
      server: server.url,
      certificateAuthority: { text: ca.certPem },
      clientCertificate: { certificate: { text: alice.certPem }, key: { text: alice.keyPem } },
    });
    expect(await seenAs(connection)).toBe('alice');
  });

  test('a server that insists on a certificate ends the handshake: nothing was done', async () => {
    await using server = await serve(whoami, {
      cert: serving.certPem,
      key: serving.keyPem,
      ca: other.certPem,
      requestCert: true,
      rejectUnauthorized: true,
      maxVersion: 'TLSv1.2',
    });
    await using connection = connectTo({ server: server.url, certificateAuthority: { text: ca.certPem } });
    expect(await failure(connection.client.create(configMaps, { metadata: { name: 'x' } }))).toMatchObject({
      reason: 'ClientCertificateRefused',
      sent: false,
    });
    expect(server.requests).toHaveLength(0);
  });

  test('a renewed certificate is used on new connections; what is under way ends on the old ones', async () => {
    let release: (() => void) | undefined;
    await using server = await serveTls((request, response) => {
      if (request.url === '/version') {
        release = () => response.end();
      } else {
        whoami(request, response);
      }
    });
    await using connection = connectTo({
      server: server.url,
      certificateAuthority: { text: ca.certPem },
      clientCertificate: {
        certificate: { file: await put('crt', alice.certPem) },
        key: { file: await put('key', alice.keyPem) },
      },
    });
    expect(await seenAs(connection)).toBe('alice');
    const underWay = connection.client.ping({ timeoutMs: 1_000_000 });
    await until(() => release !== undefined);
    await put('crt', bob.certPem);
    await put('key', bob.keyPem);
    expect(await seenAs(connection)).toBe('alice');
    await connection.clock.advance(60_001);
    expect(await seenAs(connection)).toBe('bob');
    release?.();
    await underWay;
  });

  test('a certificate seen without its key, or an empty file, leaves the old ones in use', async () => {
    await using server = await serveTls();
    await using connection = connectTo({
      server: server.url,
      certificateAuthority: { file: await put('ca', ca.certPem) },
      clientCertificate: {
        certificate: { file: await put('crt', alice.certPem) },
        key: { file: await put('key', alice.keyPem) },
      },
    });
    expect(await seenAs(connection)).toBe('alice');
    await put('crt', bob.certPem);
    await connection.clock.advance(60_001);
    expect(await seenAs(connection)).toBe('alice');
    await put('key', bob.keyPem);
    await connection.clock.advance(60_001);
    expect(await seenAs(connection)).toBe('bob');
    await put('ca', '');
    await connection.clock.advance(60_001);
    expect(await seenAs(connection)).toBe('bob');
  });

  test('a server whose authority was replaced is met with the new one at once', async () => {
    const renewed = await other.serving({ dns: [], ip: ['127.0.0.1'] });
    await using server = await serve(whoami, { cert: renewed.certPem, key: renewed.keyPem });
    await using connection = connectTo({
      server: server.url,
      certificateAuthority: { file: await put('ca', ca.certPem) },
    });
    expect(await failure(connection.client.ping())).toMatchObject({ reason: 'CertificateNotTrusted' });
    await put('ca', other.certPem);
    expect(await seenAs(connection)).toBe('nobody');
  });
});

describe('a token from a file', () => {
  test('is sent without the newline that ends the file', async () => {
    await using server = await serve(tokenServer(() => 'one'));
    await using connection = connectTo({ server: server.url, token: { file: await put('token', 'one\n') } });
    await connection.client.get(configMaps, 'demo', 'x');
    expect(server.requests[0]?.headers.authorization).toBe('Bearer one');
  });

  test('is read again after a 401, and the request is repeated, a watch as well', async () => {
    let valid = 'one';
    await using server = await serve(tokenServer(() => valid));
    await using connection = connectTo({ server: server.url, token: { file: await put('token', 'one') } });
    await connection.client.get(configMaps, 'demo', 'x');
    valid = 'two';
    await put('token', 'two');
    await connection.client.get(configMaps, 'demo', 'x');
    valid = 'three';
    await put('token', 'three');
    const { signal } = new AbortController();
    await connection.client.watch(configMaps, {
      resourceVersion: '1',
      shape: 'metadata',
      timeoutSeconds: 1,
      idleTimeoutMs: 1000,
      signal,
    });
    expect(server.requests.map((request) => headerLines(request, 'authorization')[0])).toEqual([
      'Bearer one',
      'Bearer one',
      'Bearer two',
      'Bearer two',
      'Bearer three',
    ]);
  });

  test('that is the same after a 401 is not tried again', async () => {
    await using server = await serve(tokenServer(() => 'other'));
    await using connection = connectTo({ server: server.url, token: { file: await put('token', 'one') } });
    expect(await failure(connection.client.ping())).toMatchObject({ reason: 'Unauthorized' });
    expect(server.requests).toHaveLength(1);
  });

  test('many requests that are refused at once share one look, and all succeed', async () => {
    let valid = 'one';
    await using server = await serve(tokenServer(() => valid));
    await using connection = connectTo(
      { server: server.url, token: { file: await put('token', 'one') } },
      { maxConnections: 32 },
    );
    await connection.client.get(configMaps, 'demo', 'x');
    valid = 'two';
    await put('token', 'two');
    await Promise.all(Array.from({ length: 50 }, () => connection.client.get(configMaps, 'demo', 'x')));
    expect(server.accepted).toBeLessThanOrEqual(32);
  });

  test('is looked at again after a minute, without new connections', async () => {
    await using server = await serve((_request, response) =>
      json(response, 200, { metadata: { name: 'x' } }),
    );
    await using connection = connectTo({ server: server.url, token: { file: await put('token', 'one') } });
    const get = (): Promise<unknown> => connection.client.get(configMaps, 'demo', 'x');
    await get();
    await put('token', 'two');
    await get();
    await connection.clock.advance(60_001);
    await get();
    await rm(join(folder, 'token'));
    await connection.clock.advance(60_001);
    await get();
    expect(server.requests.map((request) => request.headers.authorization)).toEqual([
      'Bearer one',
      'Bearer one',
      'Bearer two',
      'Bearer two',
    ]);
    expect(server.accepted).toBe(1);
  });

  test('that is missing is reported with its path, and used when it appears', async () => {
    await using server = await serve(tokenServer(() => 'one'));
    const file = join(folder, 'token');
    await using connection = connectTo({ server: server.url, token: { file } });
    const error = await failure(connection.client.ping());
    expect(error).toMatchObject({ reason: 'CredentialsUnusable', sent: false });
    expect(String(error)).toContain(`the token file ${file} cannot be read (ENOENT)`);
    await put('token', 'one');
    await connection.client.get(configMaps, 'demo', 'x');
  });
});

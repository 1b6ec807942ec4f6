import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { TLSSocket } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { transportFailure } from '../../../../../shared/kube/connection/failure.ts';
import { TransportError } from '../../../../../shared/kube/errors.ts';
import type { ConnectionSettings } from '../../../../../shared/kube/kubeconfig/spec.ts';
import type { PayloadObject } from '../../../../../shared/kube/object.ts';
import { configMaps } from '../../../../../shared/kube/resource.ts';
import {
  CertificateAuthority,
  type KeyAndCertificate,
} from '../../../../sandbox/control-plane/certificate-authority.ts';
import { trustedJson } from '../../../../sandbox/json.ts';
import { connectTo } from '../connection/fixture.ts';
import { json, type LocalServer, type Respond, serve } from '../local-server.ts';

/** Entries of a kubeconfig; certificates and keys by name. */
interface Entries {
  readonly scheme?: 'http' | undefined;
  readonly ca?: 'ca' | 'other' | undefined;
  readonly insecure?: boolean | undefined;
  readonly serverName?: string | undefined;
  readonly user?: 'alice' | 'bob' | undefined;
  readonly token?: string | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly as?: string | undefined;
}

let authorities: Readonly<Record<'ca' | 'other', CertificateAuthority>>;
let users: Readonly<Record<'alice' | 'bob', KeyAndCertificate>>;
let servers: Readonly<Record<'http' | 'https', LocalServer>>;

beforeAll(async () => {
  const [ca, other] = await Promise.all([
    CertificateAuthority.create('ca'),
    CertificateAuthority.create('other'),
  ]);
  const [serving, alice, bob] = await Promise.all([
    ca.serving({ dns: ['kubernetes'], ip: ['127.0.0.1'] }),
    ca.client('alice', []),
    ca.client('bob', []),
  ]);
  authorities = { ca, other };
  users = { alice, bob };
  servers = {
    http: await serve(sayWhatIsSeen),
    https: await serve(sayWhatIsSeen, {
      cert: serving.certPem,
      key: serving.keyPem,
      ca: ca.certPem,
      requestCert: true,
      rejectUnauthorized: false,
    }),
  };
});

afterAll(async () => {
  await Promise.all([servers.http, servers.https].map((server) => server[Symbol.asyncDispose]()));
});

const sayWhatIsSeen: Respond = ({ headers, socket }, response) => {
  const tls = socket instanceof TLSSocket ? socket : undefined;
  const seen = {
    authorization: headers.authorization,
    impersonateUser: headers['impersonate-user'],
    certificateOf: tls?.getPeerCertificate().subject?.CN,
    certificateTrusted: tls?.authorized,
    serverName: tls?.servername,
  };
  json(response, 200, { metadata: { name: 'x' }, data: { seen: JSON.stringify(seen) } });
};

/** What the server sees of our request, or the reason why there is none. */
async function ours(entries: Entries): Promise<unknown> {
  const { ca, insecure, serverName, user, token, basic, as } = entries;
  const pair = user === undefined ? undefined : users[user];
  const settings: ConnectionSettings = {
    server: servers[entries.scheme ?? 'https'].url,
    certificateAuthority: ca === undefined ? undefined : { text: authorities[ca].certPem },
    insecureSkipTlsVerify: insecure,
    tlsServerName: serverName,
    clientCertificate: pair && { certificate: { text: pair.certPem }, key: { text: pair.keyPem } },
    token: token === undefined ? undefined : { text: token },
    basic,
    impersonate: as === undefined ? undefined : { user: as, groups: [], extra: {} },
  };
  await using connection = connectTo(settings);
  try {
    return seenIn(await connection.client.get<PayloadObject>(configMaps, 'demo', 'x'));
  } catch (error) {
    return refusal(error);
  }
}

/** The same of a request with the options that client-node makes. */
async function theirs(entries: Entries): Promise<unknown> {
  const { scheme = 'https', ca, insecure, serverName, user, token, basic, as } = entries;
  const pair = user === undefined ? undefined : users[user];
  const server = servers[scheme].url;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: 'cluster',
      server,
      // It refuses plain HTTP without this.
      skipTLSVerify: scheme === 'http' || insecure === true,
      ...(ca === undefined ? {} : { caData: base64(authorities[ca].certPem) }),
      ...(serverName === undefined ? {} : { tlsServerName: serverName }),
    },
    {
      name: 'user',
      ...(pair === undefined ? {} : { certData: base64(pair.certPem), keyData: base64(pair.keyPem) }),
      ...(token === undefined ? {} : { token }),
      ...basic,
      ...(as === undefined ? {} : { impersonateUser: as }),
    },
  );
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  try {
    return seenIn(trustedJson(await answerTo(server, options)));
  } catch (error) {
    return refusal(error);
  } finally {
    if (options.agent instanceof Agent) {
      options.agent.destroy();
    }
  }
}

async function answerTo(server: string, options: RequestOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = server.startsWith('https:') ? httpsRequest : httpRequest;
  request(server, options, resolve).on('error', reject).end();
  return (await (await promise).toArray()).join('');
}

function seenIn({ data }: PayloadObject): unknown {
  return trustedJson(data?.['seen'] ?? '{}');
}

function refusal(error: unknown): unknown {
  return { refused: (error instanceof TransportError ? error : transportFailure(error, false, '')).reason };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

describe('a server sees the same of our requests as of those with the options of client-node', () => {
  const trusted = { ca: 'ca' } as const;
  test.each<readonly [string, Entries, object]>([
    ['nobody', trusted, { certificateTrusted: false, serverName: false }],
    ['a token', { ...trusted, token: 't0ken' }, { authorization: 'Bearer t0ken' }],
    ['a token over HTTP', { scheme: 'http', token: 't0ken' }, { authorization: 'Bearer t0ken' }],
    [
      'a password',
      { ...trusted, basic: { username: 'änne', password: 'p:ß ' } },
      { authorization: `Basic ${base64('änne:p:ß ')}` },
    ],
    [
      'a password that is empty',
      { ...trusted, basic: { username: 'a', password: '' } },
      { authorization: 'Basic YTo=' },
    ],
    [
      'a client certificate',
      { ...trusted, user: 'alice' },
      { certificateOf: 'alice', certificateTrusted: true },
    ],
    [
      'a client certificate and a token',
      { ...trusted, user: 'bob', token: 't' },
      { certificateOf: 'bob', authorization: 'Bearer t' },
    ],
    ['another user to act as', { ...trusted, token: 't', as: 'jane' }, { impersonateUser: 'jane' }],
    ['another name to check', { ...trusted, serverName: 'kubernetes' }, { serverName: 'kubernetes' }],
    [
      'a name that the server does not have',
      { ...trusted, serverName: 'elsewhere' },
      { refused: 'CertificateNotTrusted' },
    ],
    ['another certificate authority', { ca: 'other', token: 't' }, { refused: 'CertificateNotTrusted' }],
    ['the certificate authorities of the machine', { token: 't' }, { refused: 'CertificateNotTrusted' }],
    ['no check of the server', { insecure: true, token: 't' }, { authorization: 'Bearer t' }],
    ['another certificate authority, and no check', { ca: 'other', insecure: true }, { serverName: false }],
  ])('%s', async (_title, entries, expected) => {
    const [seen, reference] = await Promise.all([ours(entries), theirs(entries)]);
    expect(seen).toEqual(reference);
    expect(seen).toMatchObject(expected);
  });

  test('for any entries', async () => {
    const printable = fc.string({
      unit: fc.constantFrom('a', 'Z', '0', '-', '.', '_', '~', '+', '/', '=', ':', '!', '"', '{'),
      minLength: 1,
    });
    const text = fc.string({ unit: 'grapheme', minLength: 1 });
    const entries = fc.record({
      scheme: fc.option(fc.constant('http' as const), { nil: undefined, freq: 4 }),
      ca: fc.constantFrom('ca', 'ca', 'ca', 'other', undefined),
      insecure: fc.constantFrom(true, false, undefined),
      serverName: fc.constantFrom('kubernetes', 'elsewhere', undefined, undefined),
      user: fc.constantFrom('alice', 'bob', undefined),
      as: fc.option(printable, { nil: undefined }),
    });
    const proof = fc.oneof(
      fc.record({ token: printable }),
      fc.record({
        basic: fc.record({
          username: text.filter((name) => !name.includes(':')),
          password: fc.oneof(fc.constant(''), text),
        }),
      }),
      fc.constant({}),
    );
    await fc.assert(
      fc.asyncProperty(entries, proof, async (some, more) => {
        const all = { ...some, ...more };
        const [seen, reference] = await Promise.all([ours(all), theirs(all)]);
        expect(seen).toEqual(reference);
      }),
      { numRuns: 200 },
    );
  });
});

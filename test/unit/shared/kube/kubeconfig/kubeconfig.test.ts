import { inspect } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { inClusterSpec } from '../../../../../shared/kube/kubeconfig/in-cluster.ts';
import {
  type ContextEntry,
  KubeconfigError,
  parseKubeconfig,
  specFromKubeconfig,
} from '../../../../../shared/kube/kubeconfig/kubeconfig.ts';
import {
  CertificateAuthority,
  type KeyAndCertificate,
} from '../../../../sandbox/control-plane/certificate-authority.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

let ca: CertificateAuthority;
let client: KeyAndCertificate;
let stranger: KeyAndCertificate;

beforeAll(async () => {
  ca = await CertificateAuthority.create('test');
  [client, stranger] = await Promise.all([ca.client('alice', []), ca.client('bob', [])]);
});

interface Parts {
  readonly cluster?: Record<string, unknown>;
  readonly user?: Record<string, unknown>;
  readonly context?: Record<string, unknown>;
}

/** A document with a sound context `good` beside the context `c`, which has these parts. */
function kubeconfig({ cluster = {}, user = {}, context = {} }: Parts, name = 'c'): string {
  return stringify({
    'current-context': name,
    clusters: [
      { name: 'good', cluster: { server: 'https://good' } },
      { name: 'k', cluster: { server: 'https://api', ...cluster } },
    ],
    users: [
      { name: 'good', user: { token: 't' } },
      { name: 'u', user },
    ],
    contexts: [
      { name: 'good', context: { cluster: 'good', user: 'good' } },
      { name, context: { cluster: 'k', user: 'u', ...context } },
    ],
  });
}

function read(text: string, baseDirectory: string | undefined = '/conf'): Record<string, ContextEntry> {
  return Object.fromEntries(
    parseKubeconfig(text, { baseDirectory }).contexts.map((entry) => [entry.name, entry]),
  );
}

function problem(entry: unknown): string {
  return typeof entry === 'object' && entry !== null && 'problem' in entry ? String(entry.problem) : '';
}

function settings(parts: Parts): unknown {
  const entry = read(kubeconfig(parts))['c'];
  return entry !== undefined && 'connection' in entry ? entry.connection : entry;
}

describe('what a context can say', () => {
  test('files are relative to the kubeconfig', () => {
    expect(
      settings({
        cluster: { 'certificate-authority': 'ca.crt' },
        user: { 'client-certificate': 'pki/c.crt', 'client-key': '/abs/c.key', tokenFile: 'token' },
      }),
    ).toMatchObject({
      certificateAuthority: { file: '/conf/ca.crt' },
      clientCertificate: { certificate: { file: '/conf/pki/c.crt' }, key: { file: '/abs/c.key' } },
      token: { file: '/conf/token' },
    });
  });

  test('data in place wins over a file', () => {
    expect(
      settings({
        cluster: { 'certificate-authority': 'ca.crt', 'certificate-authority-data': base64(ca.certPem) },
        user: { 'client-certificate-data': base64(client.certPem), 'client-key-data': base64(client.keyPem) },
      }),
    ).toMatchObject({
      certificateAuthority: { text: ca.certPem },
      clientCertificate: { certificate: { text: client.certPem }, key: { text: client.keyPem } },
    });
  });

  test('a token file wins over a token, in both spellings', () => {
    expect(settings({ user: { token: 't', tokenFile: 'a' } })).toMatchObject({ token: { file: '/conf/a' } });
    expect(settings({ user: { 'token-file': 'b' } })).toMatchObject({ token: { file: '/conf/b' } });
  });

  test('a token of digits is text', () => {
    const text = kubeconfig({}).replace('token: t', 'token: 0123');
    expect(read(text)['good']).toMatchObject({ connection: { token: { text: '0123' } } });
  });

  test('name to check, proxy, no check, basic, impersonation, namespace', () => {
    expect(
      settings({
        cluster: {
          'tls-server-name': 'kubernetes',
          'proxy-url': 'socks5://user:pw@proxy:1080',
          'insecure-skip-tls-verify': true,
        },
        user: {
          username: 'u',
          password: 'p',
          as: 'alice',
          'as-uid': '1',
          'as-groups': ['a', 'b'],
          'as-user-extra': { scopes: ['x'] },
        },
      }),
    ).toMatchObject({
      tlsServerName: 'kubernetes',
      proxyUrl: 'socks5://user:pw@proxy:1080',
      insecureSkipTlsVerify: true,
      basic: { username: 'u', password: 'p' },
      impersonate: { user: 'alice', uid: '1', groups: ['a', 'b'], extra: { scopes: ['x'] } },
    });
    expect(read(kubeconfig({ context: { namespace: 'team-a' } }))['c']).toMatchObject({
      namespace: 'team-a',
      server: 'https://api',
    });
  });
});

describe('a context that cannot be used is named, and the others go on', () => {
  test.each<[string, Parts, RegExp]>([
    ['cluster that does not exist', { context: { cluster: 'nope' } }, /cluster "nope" does not exist/],
    ['user that does not exist', { context: { user: 'nope' } }, /user "nope" does not exist/],
    ['no user', { context: { user: '' } }, /names no user/],
    ['no cluster', { context: { cluster: '' } }, /must have required property 'cluster'/],
    ['cluster without server', { cluster: { server: '' } }, /"k": it has no server/],
    ['bad URL', { cluster: { server: 'api:6443' } }, /begins with https/],
    ['password in the URL', { cluster: { server: 'https://u:CANARY@api' } }, /no user or password/],
    [
      'exec',
      { user: { exec: { command: 'tool', args: ['CANARY'] } } },
      /exec plugin "tool", which would run/,
    ],
    ['auth-provider', { user: { 'auth-provider': { name: 'CANARY' } } }, /auth-provider that is not known/],
    [
      'CA that is no base64',
      { cluster: { 'certificate-authority-data': '?CANARY' } },
      /authority-data is not base64/,
    ],
    [
      'CA that is no PEM',
      { cluster: { 'certificate-authority-data': base64('CANARY') } },
      /holds no PEM certificate/,
    ],
    [
      'insecure with CA',
      { cluster: { 'certificate-authority': 'x', 'insecure-skip-tls-verify': true } },
      /contradicts/,
    ],
    ['bad proxy', { cluster: { 'proxy-url': 'ftp://u:CANARY@p' } }, /proxy-url must be/],
    ['IP as name', { cluster: { 'tls-server-name': '10.0.0.1' } }, /tls-server-name must be a DNS name/],
    [
      'wrong type',
      { cluster: { 'insecure-skip-tls-verify': 'CANARY' } },
      /insecure-skip-tls-verify must be boolean/,
    ],
    ['certificate without key', { user: { 'client-certificate': 'x' } }, /without a client key/],
    ['key without certificate', { user: { 'client-key': 'x' } }, /without a client certificate/],
    ['password without name', { user: { password: 'CANARY' } }, /password without a username/],
    ['token and basic', { user: { token: 'CANARY', username: 'u' } }, /a token and a username/],
    ['token with a line end', { user: { token: 'CANARY\nx' } }, /characters that a header cannot carry/],
    [
      'token over plain http',
      { cluster: { server: 'http://api' }, user: { token: 'CANARY' } },
      /the user "u": its credentials would be readable on the way to an http:\/\/ server/,
    ],
    [
      'token file over plain http',
      { cluster: { server: 'HTTP://api' }, user: { tokenFile: '/CANARY' } },
      /readable on the way/,
    ],
    [
      'password over plain http',
      { cluster: { server: 'http://api' }, user: { username: 'u', password: 'CANARY' } },
      /readable on the way/,
    ],
    ['groups without user', { user: { 'as-groups': ['CANARY'] } }, /without as/],
    ['header injection', { user: { as: 'a\r\nx: CANARY' } }, /printable ASCII/],
    ['bad namespace', { context: { namespace: 'A/b' } }, /its namespace is not/],
  ])('%s', (_what, parts, expected) => {
    const entries = read(kubeconfig(parts));
    expect(problem(entries['c'])).toMatch(expected);
    expect(entries['good']).toHaveProperty('connection');
    expect(inspect(entries['c'], { depth: null })).not.toContain('CANARY');
  });

  test('plain http without credentials, such as that of kubectl proxy, can be used', () => {
    expect(settings({ cluster: { server: 'http://127.0.0.1:8001' } })).toMatchObject({
      server: 'http://127.0.0.1:8001',
    });
  });

  test('a certificate and the key of another', () => {
    const user = {
      'client-certificate-data': base64(client.certPem),
      'client-key-data': base64(stranger.keyPem),
    };
    expect(settings({ user })).toMatchObject({
      problem: 'the user "u": client-key-data does not belong to the client certificate',
    });
  });

  test('a bundle with one broken certificate', () => {
    const broken = ca.certPem.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
    const data = base64(`${ca.certPem}\n${broken}`);
    expect(problem(settings({ cluster: { 'certificate-authority-data': data } }))).toMatch(/number 2/);
  });

  test('every problem of a context is reported', () => {
    expect(
      problem(settings({ cluster: { server: '', 'proxy-url': 'x' }, user: { exec: { command: 'x' } } })),
    ).toMatch(/no server.*proxy-url.*exec plugin/);
  });

  test.each(['a,b', ' a', 'a ', ''])('the name %j cannot stand in an annotation', (name) => {
    const entry = read(kubeconfig({}, name))[name];
    expect(problem(entry)).toMatch(/annotation/);
  });

  test('names with colons and slashes can', () => {
    const name = 'arn:aws:eks:eu-1:1:cluster/x';
    expect(read(kubeconfig({}, name))[name]).toHaveProperty('connection');
  });

  test('a name that is there twice is unusable, once', () => {
    const text = stringify({
      clusters: [{ name: 'k', cluster: { server: 'https://api' } }],
      users: [{ name: 'u', user: {} }],
      contexts: [
        { name: 'c', context: { cluster: 'k', user: 'u' } },
        { name: 'c', context: { cluster: 'k', user: 'u' } },
        { context: { cluster: 'k', user: 'u' } },
      ],
    });
    expect(parseKubeconfig(text, { baseDirectory: '/' }).contexts).toEqual([
      { name: 'c', problem: 'the context "c" is defined more than once' },
      { name: 'contexts[2]', problem: 'contexts[2] has no name' },
    ]);
  });

  test('files are refused where the kubeconfig is not a file', () => {
    const text = kubeconfig({ user: { tokenFile: '/var/run/secrets/token' } });
    const [, entry] = parseKubeconfig(text, { baseDirectory: undefined }).contexts;
    expect(problem(entry)).toMatch(/tokenFile names a file/);
  });
});

describe('a document that cannot be used at all', () => {
  test.each([
    ['', /it is no kubeconfig/],
    ['- a', /it is no kubeconfig/],
    ['contexts:', /it has no contexts/],
    ['contexts: []', /it has no contexts/],
    ['clusters: []', /it has no contexts/],
    ['token: CANARY\n  x: [CANARY', /not YAML at line 2/],
    ['contexts: *CANARY', /alias/],
    ['contexts: 1\nclusters: 2\nusers: 3', /contexts.*clusters.*users/],
  ])('%j', (text, problem) => {
    expect(() => parseKubeconfig(text, { baseDirectory: '/' })).toThrow(KubeconfigError);
    expect(() => parseKubeconfig(text, { baseDirectory: '/' })).toThrow(problem);
    expect(() => parseKubeconfig(text, { baseDirectory: '/' })).not.toThrow('CANARY');
  });
});

describe('the fingerprint', () => {
  const fingerprint = (parts: Parts, name?: string): string =>
    specFromKubeconfig(kubeconfig(parts, name), { baseDirectory: '/conf' }).fingerprint;

  test('is the same for contexts that differ in name and namespace only, and however a URL is spelt', () => {
    expect(fingerprint({ context: { namespace: 'x' } }, 'other')).toBe(fingerprint({}));
    expect(fingerprint({ cluster: { server: 'HTTPS://API:443/' } })).toBe(fingerprint({}));
    const extra = { as: 'a', 'as-user-extra': { x: ['1'], y: ['2'] } };
    const turned = { 'as-user-extra': { y: ['2'], x: ['1'] }, as: 'a' };
    expect(fingerprint({ user: extra })).toBe(fingerprint({ user: turned }));
  });

  test.each<[string, Parts]>([
    ['token', { user: { token: 'x' } }],
    ['token file', { user: { tokenFile: 'x' } }],
    ['user acted as', { user: { as: 'x' } }],
    ['groups', { user: { as: 'x', 'as-groups': ['g'] } }],
    ['server', { cluster: { server: 'https://api/k8s/clusters/x' } }],
    ['proxy', { cluster: { 'proxy-url': 'http://p' } }],
    ['name to check', { cluster: { 'tls-server-name': 'x' } }],
    ['no check', { cluster: { 'insecure-skip-tls-verify': true } }],
  ])('changes with the %s', (_what, parts) => {
    expect(fingerprint(parts)).not.toBe(fingerprint({}));
  });
});

describe('the source cluster', () => {
  const options = { baseDirectory: '/conf' };

  test('is the current context, or the one that is named', () => {
    expect(specFromKubeconfig(kubeconfig({}), options).server).toBe('https://api');
    expect(specFromKubeconfig(kubeconfig({}), { ...options, context: 'good' }).server).toBe('https://good');
  });

  test('may have a name that no annotation can hold', () => {
    expect(specFromKubeconfig(kubeconfig({}, 'a,b'), options).server).toBe('https://api');
  });

  test('is missing, and the message lists those that exist', () => {
    const text = kubeconfig({}).replace('current-context: c', 'current-context: ""');
    expect(() => specFromKubeconfig(text, options)).toThrow(
      'no current-context: set it to one of "good", "c"',
    );
    expect(() => specFromKubeconfig(kubeconfig({}), { ...options, context: 'x' })).toThrow(
      'the context "x" does not exist: there are "good", "c"',
    );
  });

  test('cannot be used', () => {
    const text = kubeconfig({ user: { exec: { command: 'x' } }, cluster: { server: 'x' } });
    expect(() => specFromKubeconfig(text, options)).toThrow(/begins with https.*exec plugin/);
  });
});

describe('in a pod', () => {
  test('the mount and the two variables make a connection', () => {
    expect(inClusterSpec({ host: '10.0.0.1', port: '443' })).toMatchObject({
      server: 'https://10.0.0.1',
      certificateAuthority: { file: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' },
      token: { file: '/var/run/secrets/kubernetes.io/serviceaccount/token' },
    });
    expect(inClusterSpec({ host: 'fd00::1', port: '6443' }).server).toBe('https://[fd00::1]:6443');
  });

  test.each([
    [undefined, '443'],
    ['10.0.0.1', undefined],
    ['', ''],
    ['a b', '443'],
  ])('host %j and port %j are refused', (host, port) => {
    expect(() => inClusterSpec({ host, port })).toThrow(KubeconfigError);
  });
});

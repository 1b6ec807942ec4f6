import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normaliseServerUrl, ServerUrlError } from '../../../../../shared/kube/kubeconfig/server-url.ts';

describe('one address has one spelling', () => {
  test.each([
    ['HTTPS://API.Example.COM', 'https://api.example.com'],
    ['https://api.example.com:443/', 'https://api.example.com'],
    ['http://api.example.com:80', 'http://api.example.com'],
    ['https://api.example.com:6443//', 'https://api.example.com:6443'],
    ['https://api.example.com.:6443', 'https://api.example.com:6443'],
    ['https://rancher/k8s/clusters/c-1/', 'https://rancher/k8s/clusters/c-1'],
    ['https://rancher/K8s/Clusters/C-1', 'https://rancher/K8s/Clusters/C-1'],
    ['https://[2001:DB8:0:0::1]:443', 'https://[2001:db8::1]'],
    ['https://[::ffff:127.0.0.1]:6443', 'https://[::ffff:7f00:1]:6443'],
    ['https://127.1:6443', 'https://127.0.0.1:6443'],
  ])('%s is %s', (text, expected) => {
    expect(normaliseServerUrl(text)).toBe(expected);
  });
});

test.each([
  '',
  'api.example.com:6443',
  'ftp://api',
  'https://',
  'https://.',
  'https://user:CANARY@api',
  'https://user@api',
  'https://api/?q=1',
  'https://api/?',
  'https://api#x',
  'https://a b',
  'https://api\n',
  'https://api:99999',
])('%j is refused without being repeated', (text) => {
  expect(() => normaliseServerUrl(text)).toThrow(ServerUrlError);
  expect(() => normaliseServerUrl(text)).not.toThrow('CANARY');
});

test('normalising twice changes nothing, whatever the host, port and path', () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((ip) => `[${ip}]`),
    fc.domain().map((name) => `${name.toUpperCase()}.`),
  );
  const path = fc
    .array(fc.oneof(fc.constant('/'), fc.stringMatching(/^\/[A-Za-z0-9%._~-]{0,8}$/)), { maxLength: 5 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(
      fc.constantFrom('http', 'https', 'HTTPS'),
      host,
      fc.option(fc.integer({ min: 1, max: 65_535 })),
      path,
      (scheme, name, port, rest) => {
        const once = normaliseServerUrl(`${scheme}://${name}${port === null ? '' : `:${port}`}${rest}`);
        expect(normaliseServerUrl(once)).toBe(once);
        expect(normaliseServerUrl(`${once}/`)).toBe(once);
        expect(once).toMatch(/^https?:\/\/[^A-Z/]+($|\/.*[^/]$)/);
      },
    ),
  );
});

test('two addresses that differ by path or port stay different', () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z0-9-]{1,10}$/),
      fc.stringMatching(/^[a-z0-9-]{1,10}$/),
      (one, other) => {
        fc.pre(one !== other);
        expect(normaliseServerUrl(`https://proxy/k8s/clusters/${one}`)).not.toBe(
          normaliseServerUrl(`https://proxy/k8s/clusters/${other}`),
        );
      },
    ),
  );
});

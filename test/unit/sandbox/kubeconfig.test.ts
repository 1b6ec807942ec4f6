import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { kubeconfig } from '../../sandbox/control-plane/kubeconfig.ts';

const cluster = { url: 'https://127.0.0.1:1', caPem: 'the CA', adminToken: 'admin' };
const base64 = (text: string) => Buffer.from(text).toString('base64');

test('a context has a cluster and a user of its own, the admin when none is given', () => {
  expect(parse(kubeconfig([{ name: 'a/b:c', cluster, namespace: 'n' }]))).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'a/b:c',
    clusters: [
      {
        name: 'a/b:c',
        cluster: { server: 'https://127.0.0.1:1', 'certificate-authority-data': base64('the CA') },
      },
    ],
    users: [{ name: 'a/b:c', user: { token: 'admin' } }],
    contexts: [{ name: 'a/b:c', context: { cluster: 'a/b:c', user: 'a/b:c', namespace: 'n' } }],
  });
});

test('server, user and fields of the entries can be others', () => {
  const text = kubeconfig([
    { name: 'file', cluster, server: 'https://localhost:1', user: { tokenFile: '/t' } },
    { name: 'cert', cluster, user: { certPem: 'C', keyPem: 'K' }, userFields: { as: 'jane' } },
    {
      name: 'insecure',
      cluster,
      clusterFields: { 'insecure-skip-tls-verify': true, 'certificate-authority-data': undefined },
    },
  ]);
  expect(parse(text)).toMatchObject({
    clusters: [{ cluster: { server: 'https://localhost:1' } }, {}, {}],
    users: [
      { user: { tokenFile: '/t' } },
      {
        user: {
          'client-certificate-data': base64('C'),
          'client-key-data': base64('K'),
          as: 'jane',
        },
      },
      { user: { token: 'admin' } },
    ],
  });
  expect(text.match(/certificate-authority-data/g)).toHaveLength(2);
});

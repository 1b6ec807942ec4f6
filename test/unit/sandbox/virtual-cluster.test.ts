import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestKind } from '../../sandbox/network/request-kind.ts';
import { NameReplacer, type ProxiedCluster, routeRequest } from '../../sandbox/network/virtual-cluster.ts';

const cluster: ProxiedCluster = {
  name: 'vc-17',
  upstream: 0,
  namespace: { shown: 'bench-00000', real: 'bench-00017' },
};

function answerTo(name: string, path: string, accept = ''): unknown {
  const route = routeRequest({ ...cluster, name }, 'GET', path, accept);
  return route.kind === 'answer' ? JSON.parse(route.body) : route;
}

test.for([
  ['/api/v1/namespaces/bench-00000', '/api/v1/namespaces/bench-00017'],
  ['/api/v1/namespaces/bench-00000/secrets/a', '/api/v1/namespaces/bench-00017/secrets/a'],
  ['/api/v1/configmaps?watch=true', '/api/v1/namespaces/bench-00017/configmaps?watch=true'],
  ['/api/v1/secrets', '/api/v1/namespaces/bench-00017/secrets'],
  [
    '/api/v1/configmaps?labelSelector=origin%3Dbench-00000',
    '/api/v1/namespaces/bench-00017/configmaps?labelSelector=origin%3Dbench-00017',
  ],
  ['/version', '/version'],
] as const)('a virtual cluster sees its one namespace: %s', ([path, real]) => {
  expect(routeRequest(cluster, 'GET', path, '')).toEqual({ kind: 'forward', path: real });
});

test('each virtual cluster has a kube-system and a root certificate of its own', () => {
  for (const path of [
    '/api/v1/namespaces/kube-system',
    '/api/v1/namespaces/bench-00000/configmaps/kube-root-ca.crt',
  ]) {
    expect(answerTo('vc-1', path)).toEqual(answerTo('vc-1', path));
    expect(answerTo('vc-1', path)).not.toEqual(answerTo('vc-2', path));
  }
});

test('a metadata-only read of kube-system gets metadata only', () => {
  const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
  const answer = answerTo('vc-1', '/api/v1/namespaces/kube-system', accept);
  expect(answer).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'kube-system' } });
  expect(answer).not.toHaveProperty('status');
});

test('other namespaces do not exist', () => {
  expect(answerTo('vc-1', '/api/v1/namespaces/bench-00017/configmaps')).toMatchObject({ code: 404 });
  expect(answerTo('vc-1', '/api/v1/namespaces/other')).toMatchObject({ code: 404 });
});

test('a cluster without namespaces of its own gets requests as they are', () => {
  const path = '/api/v1/namespaces/kube-system';
  expect(routeRequest({ name: 'source', upstream: 0 }, 'GET', path, '')).toEqual({ kind: 'forward', path });
});

test('names are replaced wherever the stream is cut', () => {
  const piece = fc.constantFrom('bench-00017', 'bench-000', 'bench-bench-00017', 'b', '{"x":', 'é');
  fc.assert(
    fc.property(fc.array(piece), fc.array(fc.nat(60)), (pieces, cuts) => {
      const text = pieces.join('');
      const bytes = Buffer.from(text);
      const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort(
        (a, b) => a - b,
      );
      const replacer = new NameReplacer('bench-00017', 'bench-00000');
      const chunks = edges
        .slice(1)
        .map((end, index) => Buffer.from(replacer.push(Buffer.from(bytes.subarray(edges[index], end)))));
      const result = Buffer.concat([...chunks, replacer.end()]).toString();
      expect(result).toBe(text.replaceAll('bench-00017', 'bench-00000'));
    }),
  );
});

test('names of different lengths are refused', () => {
  expect(() => new NameReplacer('a', 'bb')).toThrow('length');
});

test.for([
  ['GET', '/api/v1/namespaces/a/configmaps/b', 'get', 'configmaps', 'a', 'b'],
  ['GET', '/api/v1/configmaps?limit=1', 'list', 'configmaps', '', ''],
  ['GET', '/api/v1/secrets?x=1&watch=1', 'watch', 'secrets', '', ''],
  ['POST', '/api/v1/namespaces/a/secrets', 'create', 'secrets', 'a', ''],
  ['PUT', '/api/v1/namespaces/a/secrets/b', 'update', 'secrets', 'a', 'b'],
  ['DELETE', '/api/v1/namespaces/a/secrets/b', 'delete', 'secrets', 'a', 'b'],
  ['DELETE', '/api/v1/namespaces/a/secrets', 'deletecollection', 'secrets', 'a', ''],
  ['GET', '/api/v1/namespaces/a', 'get', 'namespaces', '', 'a'],
  ['POST', '/api/v1/namespaces/a/serviceaccounts/b/token', 'create', 'serviceaccounts/token', 'a', 'b'],
  ['PUT', '/apis/coordination.k8s.io/v1/namespaces/a/leases/b', 'update', 'leases', 'a', 'b'],
  ['GET', '/version', 'get', '/version', '', ''],
] as const)('%s %s is %s of %s', ([method, url, verb, resource, namespace, name]) => {
  expect(requestKind(method, url, '')).toEqual({ verb, resource, namespace, name, metadataOnly: false });
});

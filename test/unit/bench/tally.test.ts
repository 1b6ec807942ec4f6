import { expect, test } from 'vitest';
import { parseRequestMetrics, Tally } from '../../bench/tally.ts';
import type { RequestCount } from '../../sandbox/network/cluster-proxy.ts';

function row(cluster: string, verb: string, requests: number, namespace = 'bench-00000'): RequestCount {
  const resource = 'configmaps';
  return {
    cluster,
    verb,
    resource,
    namespace,
    metadataOnly: false,
    requests,
    failures: 0,
    bytes: 10 * requests,
  };
}

test('a tally counts what came after another', () => {
  const before = new Tally([row('context-1', 'create', 3), row('source', 'get', 5)]);
  const after = new Tally([
    row('context-1', 'create', 7),
    row('context-1', 'watch', 1),
    row('context-2', 'delete', 2),
    row('source', 'get', 9),
    row('source', 'get', 4, 'other'),
  ]);
  const tally = after.since(before);
  expect(tally.copyWrites()).toBe(6);
  expect(tally.copyWrites('delete')).toBe(2);
  expect(tally.sourceReads('bench-00000')).toBe(4);
  expect(tally.targetRequests()).toBe(6);
  expect(tally.byVerb()).toEqual({
    'source get': 8,
    'targets create': 4,
    'targets delete': 2,
    'targets watch': 1,
  });
  expect(tally.bytesByServer()).toEqual({ source: 80, targets: 70 });
});

test("an API server's own metrics are counted by verb and resource", () => {
  const text = `# HELP apiserver_request_total Counter
apiserver_request_total{code="201",component="apiserver",resource="configmaps",scope="resource",subresource="",verb="POST"} 12
apiserver_request_total{code="409",component="apiserver",resource="configmaps",scope="resource",subresource="",verb="POST"} 2
apiserver_request_total{code="200",component="apiserver",resource="leases",scope="resource",subresource="status",verb="PUT"} 1
apiserver_response_sizes_sum{component="apiserver",resource="configmaps",scope="resource",subresource="",verb="POST"} 5000
apiserver_response_sizes_count{component="apiserver",resource="configmaps",scope="resource",subresource="",verb="POST"} 14`;
  const common = { cluster: 'context-1', namespace: '', metadataOnly: false };
  expect(parseRequestMetrics('context-1', text)).toEqual([
    { ...common, verb: 'create', resource: 'configmaps', requests: 14, failures: 2, bytes: 5000 },
    { ...common, verb: 'update', resource: 'leases/status', requests: 1, failures: 0, bytes: 0 },
  ]);
});

import * as fc from 'fast-check';
import type { Claim } from '../../../controller/claims/claim.ts';
import type { CopyReading } from '../../../controller/copy/copy-record.ts';
import type { SourceCluster } from '../../../controller/copy/origin.ts';
import { OriginPool } from '../../../controller/copy/origin-pool.ts';
import type { SourceRecord } from '../../../controller/source/source-record.ts';
import type { Catalog } from '../../../shared/catalog/catalog.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { apiVersion } from '../../../shared/kube/resource.ts';
import { type SyncedKindName, syncedKind } from '../../../shared/synced-kind.ts';
import { aCatalog, keys, ownNamespace } from '../fakes/circumstances.ts';

export { aCatalog, aContext, circumstancesOf, keys, ownNamespace } from '../fakes/circumstances.ts';

export const cluster: SourceCluster = { uid: 'uid-of-source-cluster', name: 'hub' };
export const stampKey = Buffer.from('0123456789abcdef0123456789abcdef');
export const reading: CopyReading = { keys, cluster, stampKey, origins: new OriginPool() };

export const kindNames: fc.Arbitrary<SyncedKindName> = fc.constantFrom('ConfigMap', 'Secret');

const text = fc.string({ unit: 'binary', maxLength: 6 });

/** Maps of few keys, so that two of them often share some. */
export function maps(names: readonly string[]): fc.Arbitrary<Record<string, string>> {
  return fc.dictionary(fc.constantFrom(...names), text, { maxKeys: 4, noNullPrototype: true });
}

export const plainKeys = ['a', 'b', 'example.com/c', 'd'];
/** Keys that must never travel from a source to a copy. */
export const stayingAnnotations = [
  keys.syncContexts,
  'kubed.appscode.com/sync',
  'kubed.appscode.com/unheard-of',
  'kubectl.kubernetes.io/last-applied-configuration',
  'argocd.argoproj.io/tracking-id',
  'kustomize.toolkit.fluxcd.io/name',
  'helm.toolkit.fluxcd.io/name',
  'meta.helm.sh/release-name',
];
export const stayingLabels = [
  keys.originName,
  'kubed.appscode.com/unheard-of',
  'app.kubernetes.io/instance',
  'argocd.argoproj.io/instance',
  'kustomize.toolkit.fluxcd.io/name',
];

export const versions = fc.integer({ min: 1, max: 99 }).map(String);

/** What varies of a source from one moment to the next. */
export interface SourceState {
  readonly data: Record<string, string> | undefined;
  readonly binaryData: Record<string, string> | undefined;
  readonly type: string | undefined;
  readonly immutable: boolean | undefined;
  readonly labels: Record<string, string> | undefined;
  readonly annotations: Record<string, string> | undefined;
  readonly resourceVersion: string;
}

export const sourceStates: fc.Arbitrary<SourceState> = fc.record({
  data: fc.option(maps(plainKeys), { nil: undefined }),
  binaryData: fc.option(maps(plainKeys), { nil: undefined }),
  type: fc.constantFrom(undefined, 'Opaque', 'kubernetes.io/tls'),
  immutable: fc.constantFrom(undefined, false, true),
  labels: fc.option(maps([...plainKeys, ...stayingLabels]), { nil: undefined }),
  annotations: fc.option(maps([...plainKeys, ...stayingAnnotations]), { nil: undefined }),
  resourceVersion: versions,
});

/** The source `demo/omni` as an API server would give it. */
export function sourceObject(kind: SyncedKindName, state: SourceState): PayloadObject {
  const { resource } = syncedKind(kind);
  const { data, binaryData, type, immutable, labels, annotations, resourceVersion } = state;
  return {
    apiVersion: apiVersion(resource),
    kind,
    metadata: {
      namespace: 'demo',
      name: 'omni',
      uid: 'uid-omni',
      resourceVersion,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    ...(data === undefined ? {} : { data }),
    ...(binaryData === undefined || kind === 'Secret' ? {} : { binaryData }),
    ...(type === undefined || kind === 'ConfigMap' ? {} : { type }),
    ...(immutable === undefined ? {} : { immutable }),
  };
}

/** A source record with everything that a test does not care about filled in. */
export function aSource(over: Partial<SourceRecord> = {}): SourceRecord {
  const { namespace = 'demo', name = 'omni' } = over;
  return {
    kind: 'ConfigMap',
    namespace,
    name,
    uid: `uid-${namespace}-${name}`,
    resourceVersion: '10',
    creationTimestamp: '2026-01-01T00:00:00Z',
    syncContexts: 'c1',
    isCopy: false,
    ...over,
  };
}

/** The claim of a source on its copy on `cluster-1`, through context c1. */
export function aClaim(over: Partial<Claim> = {}): Claim {
  const { source = aSource() } = over;
  return {
    source,
    context: 'c1',
    cluster: 'cluster-1',
    target: { kind: source.kind, namespace: source.namespace, name: source.name },
    creation: 'allowed',
    ...over,
  };
}

export const contextNames = ['c1', 'c2', 'c3', 'hub', 'arn:aws:eks:eu-west-1:1:cluster/x'];

/** Any catalog over few names and clusters. */
export const catalogs: fc.Arbitrary<Catalog> = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom(...contextNames),
      namespace: fc.constantFrom(undefined, 'demo', 'team', 'kube-system', ownNamespace),
      server: fc.constantFrom(undefined, 'https://a.example', 'https://b.example'),
      cluster: fc.constantFrom('cluster-1', 'cluster-2', 'cluster-hub'),
      identified: fc.boolean(),
      settling: fc.boolean(),
      problem: fc.constantFrom(undefined, 'its API server refuses connections'),
    }),
    { selector: ({ name }) => name, maxLength: 5 },
  )
  .map((contexts) =>
    aCatalog(...contexts.map((context) => ({ ...context, isSource: context.cluster === 'cluster-hub' }))),
  );

export const lists = fc
  .array(fc.constantFrom(...contextNames, ...contextNames, ' c1 ', '', 'nobody'), { maxLength: 4 })
  .map((names) => names.join(','));

export const sources: fc.Arbitrary<SourceRecord> = fc.record({
  kind: kindNames,
  namespace: fc.constantFrom('demo', 'team', 'kube-public', ownNamespace),
  name: fc.constantFrom('omni', 'other'),
  uid: fc.constantFrom('uid-1', 'uid-2', 'uid-3'),
  resourceVersion: versions,
  creationTimestamp: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
  syncContexts: lists,
  isCopy: fc.boolean(),
});

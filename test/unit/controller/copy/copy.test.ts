import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildCopy, type SourceContent } from '../../../../controller/copy/build-copy.ts';
import { contentOfSource, contentStamp } from '../../../../controller/copy/content.ts';
import {
  type CopyRecord,
  isIntact,
  recordOfMetadata,
  recordOfObject,
} from '../../../../controller/copy/copy-record.ts';
import { isOwnKey } from '../../../../shared/keys.ts';
import type { PayloadObject } from '../../../../shared/kube/object.ts';
import { type SyncedKindName, syncedKind } from '../../../../shared/synced-kind.ts';
import {
  cluster,
  keys,
  kindNames,
  maps,
  plainKeys,
  reading,
  type SourceState,
  sourceObject,
  sourceStates,
  stampKey,
  stayingAnnotations,
  stayingLabels,
} from '../arbitraries.ts';

const othersKeys = ['others/x', 'others/y'];

function contentOf(kind: SyncedKindName, state: SourceState): SourceContent {
  const content = contentOfSource(syncedKind(kind), sourceObject(kind, state), keys);
  return {
    namespace: 'demo',
    name: 'omni',
    uid: 'uid-omni',
    resourceVersion: state.resourceVersion,
    content,
    stamp: contentStamp(stampKey, content),
  };
}

function copyOf(kind: SyncedKindName, source: SourceContent, observed?: CopyRecord): PayloadObject {
  const target = { kind, namespace: 'team', name: 'omni' };
  return buildCopy(
    { kind: syncedKind(kind), target, source, context: 'c1', keys, cluster, stampKey },
    observed,
  );
}

/** As an API server stores it. */
function stored(object: PayloadObject, resourceVersion = '7'): PayloadObject {
  return { ...object, metadata: { ...object.metadata, uid: 'uid-copy', resourceVersion } };
}

function recordOf(kind: SyncedKindName, object: PayloadObject): CopyRecord {
  return recordOfObject(syncedKind(kind), stored(object), reading);
}

describe('a copy as built', () => {
  it('reads back ours, labelled and intact, with nothing that others added', () => {
    fc.assert(
      fc.property(kindNames, sourceStates, (kind, state) => {
        const source = contentOf(kind, state);
        const record = recordOf(kind, copyOf(kind, source));
        expect(record).toMatchObject({
          uid: 'uid-copy',
          resourceVersion: '7',
          ownership: 'ours',
          labelled: true,
          stamp: source.stamp,
          additions: undefined,
        });
        expect(isIntact(record)).toBe(true);
        expect(record).toMatchObject({
          origin: { name: 'omni', uid: 'uid-omni' },
          context: 'c1',
          placed: true,
        });
      }),
    );
  });

  it('carries the payload exactly, and no key that must stay with its source', () => {
    fc.assert(
      fc.property(kindNames, sourceStates, (kind, state) => {
        const source = sourceObject(kind, state);
        const copy = copyOf(kind, contentOf(kind, state));
        expect(copy.data).toEqual(source.data);
        expect(copy.binaryData).toEqual(source.binaryData);
        expect(copy.immutable ?? false).toBe(source.immutable ?? false);
        const annotations = Object.keys(copy.metadata.annotations ?? {});
        expect(annotations.filter((key) => isOwnKey(keys, key))).toEqual([keys.origin]);
        expect(annotations.filter((key) => stayingAnnotations.includes(key))).toEqual([]);
        const labels = Object.keys(copy.metadata.labels ?? {});
        expect(labels.filter((key) => isOwnKey(keys, key)).sort()).toEqual(
          [keys.originCluster, keys.originName, keys.originNamespace].sort(),
        );
        expect(labels.filter((key) => stayingLabels.includes(key) && !isOwnKey(keys, key))).toEqual([]);
        expect(copy.metadata.namespace).toBe('team');
        expect(copy.metadata).not.toHaveProperty('finalizers');
        expect(copy.metadata).not.toHaveProperty('ownerReferences');
        expect(copy.metadata).not.toHaveProperty('uid');
      }),
    );
  });

  it('is seen to drift by any change of what was given, and by no addition', () => {
    fc.assert(
      fc.property(kindNames, sourceStates, maps(othersKeys), maps(plainKeys), (kind, state, added, data) => {
        const source = contentOf(kind, state);
        const copy = copyOf(kind, source);
        const { metadata } = copy;
        const decorated: PayloadObject = {
          ...copy,
          metadata: {
            ...metadata,
            labels: { ...metadata.labels, ...added },
            annotations: { ...metadata.annotations, ...added },
          },
        };
        expect(isIntact(recordOf(kind, decorated))).toBe(true);
        const changed = contentStamp(stampKey, { ...source.content, data }) !== source.stamp;
        expect(isIntact(recordOf(kind, { ...copy, data }))).toBe(!changed);
        for (const label of Object.keys(source.content.labels)) {
          const { [label]: _, ...labels } = metadata.labels ?? {};
          expect(isIntact(recordOf(kind, { ...copy, metadata: { ...metadata, labels } }))).toBe(false);
        }
      }),
    );
  });

  it('has a shortened label and the whole name in its origin where a name is too long for a label', () => {
    const name = 'n'.repeat(253);
    const source = { ...contentOf('ConfigMap', emptyState), name };
    const record = recordOf('ConfigMap', copyOf('ConfigMap', source));
    expect(record).toMatchObject({ labelled: true, origin: { name } });
    expect(copyOf('ConfigMap', source).metadata.labels?.[keys.originName]).toHaveLength(63);
  });
});

const emptyState: SourceState = {
  data: undefined,
  binaryData: undefined,
  type: undefined,
  immutable: undefined,
  labels: undefined,
  annotations: undefined,
  resourceVersion: '1',
};

describe('an update of an existing copy', () => {
  it('keeps what others added, and takes away what the source took back', () => {
    const additions = fc.record({
      labels: maps(othersKeys),
      annotations: maps(othersKeys),
      finalizers: fc.constantFrom([], ['others/hold']),
      ownerReferences: fc.constantFrom([], [{ kind: 'Thing', name: 'x' }]),
    });
    fc.assert(
      fc.property(kindNames, sourceStates, sourceStates, additions, (kind, before, after, added) => {
        const first = copyOf(kind, contentOf(kind, before));
        const observed = recordOf(kind, {
          ...first,
          metadata: {
            ...first.metadata,
            ...added,
            labels: { ...first.metadata.labels, ...added.labels },
            annotations: { ...first.metadata.annotations, ...added.annotations },
          },
        });
        const source = contentOf(kind, after);
        const next = copyOf(kind, source, observed);
        const fresh = copyOf(kind, source);
        expect(next.metadata.labels).toEqual({ ...added.labels, ...fresh.metadata.labels });
        expect(next.metadata.annotations).toEqual({ ...added.annotations, ...fresh.metadata.annotations });
        expect(next.metadata.finalizers ?? []).toEqual(added.finalizers);
        expect(next.metadata.ownerReferences ?? []).toEqual(added.ownerReferences);
        expect(next.metadata).toMatchObject({ uid: 'uid-copy', resourceVersion: '7' });
        expect({ ...next, metadata: {} }).toEqual({ ...fresh, metadata: {} });
        expect(isIntact(recordOf(kind, next))).toBe(true);
      }),
    );
  });

  it("of Kubed's keeps what could be an addition, except the payload that leaked into an annotation", () => {
    const kubed: PayloadObject = stored({
      metadata: {
        name: 'omni',
        namespace: 'team',
        labels: {
          [keys.originCluster]: cluster.name,
          [keys.originName]: 'omni',
          [keys.originNamespace]: 'demo',
          app: 'x',
        },
        annotations: {
          [keys.origin]: '{"namespace":"demo","name":"omni","uid":"u","resourceVersion":"1"}',
          'kubectl.kubernetes.io/last-applied-configuration': 'payload',
          note: 'y',
        },
      },
    });
    const observed = recordOf('ConfigMap', kubed);
    expect(observed).toMatchObject({ ownership: 'adoptable', labelled: true });
    const next = copyOf('ConfigMap', contentOf('ConfigMap', emptyState), observed);
    expect(Object.keys(next.metadata.annotations ?? {}).sort()).toEqual([keys.origin, 'note'].sort());
    expect(next.metadata.labels).toMatchObject({ app: 'x' });
    expect(recordOf('ConfigMap', next).ownership).toBe('ours');
  });
});

describe('a record from metadata alone', () => {
  it('agrees with the whole object in everything but the content', () => {
    fc.assert(
      fc.property(kindNames, sourceStates, (kind, state) => {
        const object = stored(copyOf(kind, contentOf(kind, state)));
        const whole = recordOfObject(syncedKind(kind), object, reading);
        expect(recordOfMetadata(kind, object.metadata, reading)).toEqual({ ...whole, stamp: undefined });
      }),
    );
  });

  it('is never intact: unknown content is not right content', () => {
    expect(isIntact(recordOfMetadata('ConfigMap', { name: 'omni' }, reading))).toBe(false);
  });

  it('knows nothing of additions to an object that is not ours, and keeps none', () => {
    const record = recordOfMetadata(
      'ConfigMap',
      { name: 'omni', labels: { [keys.originCluster]: cluster.name, app: 'x' } },
      reading,
    );
    expect(record).toMatchObject({ ownership: 'foreign', labelled: false, additions: undefined });
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatOrigin,
  type Origin,
  originLabels,
  otherSourceOf,
  ownershipOf,
  parseOrigin,
} from '../../../../controller/copy/origin.ts';
import type { ObjectMeta } from '../../../../shared/kube/object.ts';
import { cluster, keys } from '../arbitraries.ts';

const filled = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });

const origins: fc.Arbitrary<Origin> = fc.record(
  {
    namespace: filled,
    name: filled,
    uid: filled,
    resourceVersion: filled,
    clusterUID: filled,
    copy: fc.record({ namespace: filled, name: filled }, { noNullPrototype: true }),
    context: filled,
    stamp: filled,
    labels: fc.array(filled, { maxLength: 3 }),
    annotations: fc.array(filled, { maxLength: 3 }),
  },
  { requiredKeys: ['namespace', 'name', 'uid', 'resourceVersion'], noNullPrototype: true },
);

describe('the origin annotation', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(origins, (origin) => {
        expect(parseOrigin(formatOrigin(origin))).toEqual(origin);
      }),
    );
  });

  it("begins with Kubed's four fields in its order", () => {
    fc.assert(
      fc.property(origins, (origin) => {
        const [namespace, name, uid, version] = [
          origin.namespace,
          origin.name,
          origin.uid,
          origin.resourceVersion,
        ].map((text) => JSON.stringify(text));
        const start = `{"namespace":${namespace},"name":${name},"uid":${uid},"resourceVersion":${version}`;
        expect(formatOrigin(origin).startsWith(start)).toBe(true);
      }),
    );
    expect(
      formatOrigin({ namespace: 'demo', name: 'omni', uid: 'u', resourceVersion: '105', clusterUID: 'c' }),
    ).toBe('{"namespace":"demo","name":"omni","uid":"u","resourceVersion":"105","clusterUID":"c"}');
  });

  it('is never a reason to fail, whatever its text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const origin = parseOrigin(text);
        expect(origin === undefined || (origin.namespace !== '' && origin.name !== '')).toBe(true);
      }),
    );
  });

  it('survives fields of any type, and keeps only those it understands', () => {
    const fields = [
      'uid',
      'resourceVersion',
      'clusterUID',
      'copy',
      'context',
      'stamp',
      'labels',
      'annotations',
      'new',
    ];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...fields), fc.jsonValue()), (rest) => {
        const origin = parseOrigin(JSON.stringify({ namespace: 'demo', name: 'omni', ...rest }));
        expect(origin).toMatchObject({ namespace: 'demo', name: 'omni' });
        expect(origin).not.toHaveProperty('new');
        expect([typeof origin?.uid, typeof origin?.resourceVersion]).toEqual(['string', 'string']);
        for (const name of [...(origin?.labels ?? []), ...(origin?.annotations ?? [])]) {
          expect(typeof name).toBe('string');
        }
      }),
    );
  });

  it.each(['null', '[]', '{}', '"demo"', '{"namespace":"demo"}', '{"namespace":"","name":"omni"}', '{'])(
    'names no source in %s',
    (text) => {
      expect(parseOrigin(text)).toBeUndefined();
    },
  );
});

describe('ownership', () => {
  const meta = (labels: Readonly<Record<string, string>>): { name: string; labels: typeof labels } => ({
    name: 'omni',
    labels,
  });
  const full = originLabels(keys, { namespace: 'demo', name: 'omni' }, cluster.name);
  const origin = { namespace: 'demo', name: 'omni', uid: 'u', resourceVersion: '1' };

  it('is not conferred by labels', () => {
    expect(ownershipOf(meta(full), undefined, keys, cluster)).toBe('foreign');
  });

  it('follows from the uid of the source cluster alone where that is recorded', () => {
    fc.assert(
      fc.property(origins, fc.boolean(), ({ copy: _place, ...given }, labelled) => {
        const copy = { name: given.name, labels: labelled ? full : {} };
        const own = ownershipOf(copy, { ...given, clusterUID: cluster.uid }, keys, cluster);
        expect(own).toBe('ours');
        const other = ownershipOf(copy, { ...given, clusterUID: 'another' }, keys, cluster);
        expect(other).toBe('foreign');
      }),
    );
  });

  it('is not passed on to a clone under another name', () => {
    const clone = { name: 'omni-backup', labels: full };
    expect(ownershipOf(clone, { ...origin, clusterUID: cluster.uid }, keys, cluster)).toBe('foreign');
    expect(ownershipOf(clone, origin, keys, cluster)).toBe('foreign');
  });

  it('is not passed on to a clone in another namespace, also when Kubed made the copy', () => {
    const copy = { namespace: 'team', name: 'omni' };
    const cloned = (more: Partial<Origin>, namespace: string): string =>
      ownershipOf({ ...copy, namespace, labels: full }, { ...origin, copy, ...more }, keys, cluster);
    expect(cloned({ clusterUID: cluster.uid }, 'team')).toBe('ours');
    for (const clusterUID of [cluster.uid, 'another']) {
      expect(cloned({ clusterUID }, 'other')).toBe('foreign');
    }
    expect(cloned({}, 'other')).toBe('foreign');
  });

  it('of a copy of the cluster to take over from is adoptable, and that of no other', () => {
    const successor = { ...cluster, takeOverFromUid: 'old' };
    const owned = (clusterUID: string, by = successor): string =>
      ownershipOf({ name: 'omni' }, { ...origin, clusterUID }, keys, by);
    expect([owned('old'), owned('another'), owned(cluster.uid)]).toEqual(['adoptable', 'foreign', 'ours']);
    expect(owned('old', { ...cluster, takeOverFromUid: '' })).toBe('foreign');
  });

  it('says of which other source cluster a foreign copy with our name is', () => {
    const object = (given: Partial<Origin>, label = cluster.name): ObjectMeta => ({
      name: 'omni',
      namespace: 'team',
      labels: { [keys.originCluster]: label },
      annotations: { [keys.origin]: formatOrigin({ ...origin, ...given }) },
    });
    const other = (meta: ObjectMeta): string | undefined => otherSourceOf(meta, keys, cluster);
    expect(other(object({ clusterUID: 'old' }))).toBe('old');
    expect(other(object({ clusterUID: 'old' }, 'other-hub'))).toBeUndefined();
    expect(other(object({ clusterUID: cluster.uid }))).toBeUndefined();
    expect(
      other(object({ clusterUID: cluster.uid, copy: { namespace: 'x', name: 'omni' } })),
    ).toBeUndefined();
    expect(other(object({}))).toBeUndefined();
  });

  it('of a copy without that uid follows from the cluster label', () => {
    expect(ownershipOf(meta(full), origin, keys, cluster)).toBe('adoptable');
    expect(ownershipOf(meta({ ...full, [keys.originCluster]: 'other' }), origin, keys, cluster)).toBe(
      'foreign',
    );
    expect(ownershipOf(meta({}), origin, keys, cluster)).toBe('foreign');
    expect(ownershipOf({ name: 'omni' }, origin, keys, cluster)).toBe('foreign');
  });
});

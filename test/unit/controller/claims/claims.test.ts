import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChangedList, Claims } from '../../../../controller/claims/claims.ts';
import { parseTargetKey, targetKey } from '../../../../controller/copy/target-ref.ts';
import { sourceKey } from '../../../../controller/source/source-record.ts';
import { type SyncedKindName, syncedKinds } from '../../../../shared/synced-kind.ts';
import { aContext, aSource, catalogs, circumstancesOf, keys, ownNamespace, sources } from '../arbitraries.ts';

const clusters = ['cluster-1', 'cluster-2', 'cluster-hub'];
const kinds = syncedKinds.map(({ name }) => name);

const steps = fc.oneof(
  { weight: 4, arbitrary: sources.map((source) => ({ do: 'put', source }) as const) },
  { weight: 2, arbitrary: sources.map((source) => ({ do: 'remove', source }) as const) },
  { weight: 2, arbitrary: catalogs.map((catalog) => ({ do: 'contexts', catalog }) as const) },
);

/** Everything that is claimed, as `cluster Kind/namespace/name`, and the claims on it in a fixed order. */
function contentsOf(claims: Claims): ReadonlyMap<string, readonly string[]> {
  const contents = new Map<string, readonly string[]>();
  for (const cluster of clusters) {
    for (const target of kinds.flatMap((kind) => [...claims.targetsOf(cluster, kind)])) {
      const on = claims.on(cluster, target).map((claim) => JSON.stringify(claim));
      contents.set(`${cluster} ${targetKey(target)}`, on.sort());
    }
  }
  return contents;
}

function differences(
  before: ReadonlyMap<string, readonly string[]>,
  after: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
  );
}

/** The objects that changed lists touch. */
function touchedBy(changed: readonly ChangedList[]): readonly string[] {
  return changed.flatMap(({ sources: carriers, touched }) =>
    touched.flatMap(({ cluster, namespace: bound }) =>
      [...carriers.values()].map(({ kind, namespace, name }) => {
        return `${cluster} ${targetKey({ kind, namespace: bound ?? namespace, name })}`;
      }),
    ),
  );
}

describe('claims', () => {
  it('are those of a new index, and every object whose claims changed is named, after any changes', () => {
    fc.assert(
      fc.property(catalogs, fc.array(steps, { maxLength: 12 }), (first, script) => {
        let circumstances = { keys, ownNamespace, catalog: first };
        const claims = new Claims(circumstances);
        const present = new Map<string, (typeof script)[number] & { do: 'put' }>();
        for (const step of script) {
          const before = contentsOf(claims);
          let named: readonly string[];
          if (step.do === 'contexts') {
            circumstances = { ...circumstances, catalog: step.catalog };
            named = touchedBy(claims.useCircumstances(circumstances));
          } else {
            const key = sourceKey(step.source);
            const source = step.do === 'put' ? step.source : undefined;
            if (step.do === 'put') {
              present.set(key, step);
            } else {
              present.delete(key);
            }
            named = claims.put(key, source).map(({ cluster, target }) => `${cluster} ${targetKey(target)}`);
          }
          const after = contentsOf(claims);
          expect(named).toEqual(expect.arrayContaining([...differences(before, after)]));
          const fresh = new Claims(circumstances);
          for (const { source } of present.values()) {
            fresh.put(sourceKey(source), source);
          }
          expect(after).toEqual(contentsOf(fresh));
          expect(claims.sources).toBe(present.size);
          for (const [key, { source }] of present) {
            expect(claims.resolutionOf(key)).toEqual(fresh.resolutionOf(sourceKey(source)));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('name the namespaces that they are in, by kind', () => {
    fc.assert(
      fc.property(catalogs, fc.array(sources, { maxLength: 5 }), (catalog, records) => {
        const claims = new Claims({ keys, ownNamespace, catalog });
        for (const record of records) {
          claims.put(sourceKey(record), record);
        }
        const namespacesOf = (cluster: string, kind: SyncedKindName): readonly string[] =>
          [...claims.namespacesOf(cluster, kind)].sort();
        for (const cluster of clusters) {
          for (const kind of kinds) {
            const targets = [...claims.targetsOf(cluster, kind)].map(({ namespace }) => namespace);
            expect(namespacesOf(cluster, kind)).toEqual([...new Set(targets)].sort());
          }
        }
      }),
    );
  });

  it('are not touched by a link that goes down, and lists are not resolved again', () => {
    const up = circumstancesOf(aContext('c1'), aContext('c2'));
    const down = circumstancesOf(
      aContext('c1', { problem: 'it is silent', unreachableSince: 1 }),
      aContext('c2'),
    );
    const claims = new Claims(up);
    claims.put('ConfigMap/demo/omni', aSource({ syncContexts: 'c1,c2' }));
    expect(claims.useCircumstances(down)).toEqual([]);
  });

  it('change for the sources that list a context only', () => {
    const claims = new Claims(circumstancesOf(aContext('c1'), aContext('c2')));
    claims.put('ConfigMap/demo/a', aSource({ name: 'a', syncContexts: 'c1' }));
    claims.put('ConfigMap/demo/b', aSource({ name: 'b', syncContexts: 'c1,c2' }));
    const changed = claims.useCircumstances(
      circumstancesOf(aContext('c1'), aContext('c2', { namespace: 'team' })),
    );
    expect(changed.map(({ sources: carriers }) => [...carriers.keys()])).toEqual([['ConfigMap/demo/b']]);
    expect(changed[0]?.touched.map(({ context, namespace }) => [context, namespace])).toEqual([
      ['c2', undefined],
      ['c2', 'team'],
    ]);
  });

  it('do not change the sentences about one list when a context comes that it does not name, unless it is invalid', () => {
    const claims = new Claims(circumstancesOf(aContext('c1')));
    claims.put('ConfigMap/demo/a', aSource({ name: 'a', syncContexts: 'c1' }));
    claims.put('ConfigMap/demo/b', aSource({ name: 'b', syncContexts: 'nobody' }));
    const changed = claims.useCircumstances(circumstancesOf(aContext('c1'), aContext('c3')));
    expect(changed.map(({ sources: carriers }) => [...carriers.keys()])).toEqual([['ConfigMap/demo/b']]);
    expect(changed[0]?.resolution.violations[0]?.message).toContain('"c3"');
  });

  it('of sources of several namespaces meet on the object of a bound context', () => {
    const claims = new Claims(circumstancesOf(aContext('c1', { namespace: 'team' })));
    for (const namespace of ['demo', 'other', 'team']) {
      claims.put(`ConfigMap/${namespace}/omni`, aSource({ namespace }));
    }
    const on = claims.on('cluster-c1', { kind: 'ConfigMap', namespace: 'team', name: 'omni' });
    expect(on.map(({ source }) => source.namespace).sort()).toEqual(['demo', 'other', 'team']);
    expect(claims.on('cluster-c1', { kind: 'ConfigMap', namespace: 'demo', name: 'omni' })).toEqual([]);
  });
});

it('reads a target key back, and nothing else', () => {
  const names = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,10}[a-z0-9])?$/);
  fc.assert(
    fc.property(
      fc.constantFrom('ConfigMap' as const, 'Secret' as const),
      names,
      names,
      (kind, namespace, name) => {
        const target = { kind, namespace, name };
        expect(parseTargetKey(targetKey(target))).toEqual(target);
      },
    ),
  );
  expect(() => parseTargetKey('Pod/demo/omni')).toThrow(TypeError);
  expect(() => parseTargetKey('ConfigMap/demo')).toThrow(TypeError);
});

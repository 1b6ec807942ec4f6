import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ClaimIndex, type Touched } from '../../../../controller/claims/claim-index.ts';
import { parseTargetKey, targetKey } from '../../../../controller/claims/target-ref.ts';
import { sourceKey } from '../../../../controller/source/source-record.ts';
import type { Catalog } from '../../../../shared/catalog/catalog.ts';
import { catalogs, keys, ownNamespace, sources } from '../arbitraries.ts';

const clusters = ['cluster-1', 'cluster-2', 'cluster-hub'];

const steps = fc.oneof(
  { weight: 4, arbitrary: sources.map((source) => ({ do: 'put', source }) as const) },
  { weight: 2, arbitrary: sources.map((source) => ({ do: 'remove', source }) as const) },
  { weight: 2, arbitrary: catalogs.map((catalog) => ({ do: 'contexts', catalog }) as const) },
);

/** Everything that the index answers, in a fixed order. */
function contentsOf(index: ClaimIndex): ReadonlyMap<string, readonly string[]> {
  const contents = new Map<string, readonly string[]>();
  for (const cluster of clusters) {
    for (const target of index.targetsOf(cluster)) {
      const claims = index.claimsOn(cluster, target);
      contents.set(`${cluster} ${targetKey(target)}`, claims.map((claim) => JSON.stringify(claim)).sort());
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

it('equals an index built afresh, and names every object whose claims changed, after any sequence of changes', () => {
  fc.assert(
    fc.property(catalogs, fc.array(steps, { maxLength: 12 }), (first, script) => {
      const index = new ClaimIndex();
      const standing = new Map<string, (typeof script)[number] & { do: 'put' }>();
      let catalog: Catalog = first;
      for (const step of script) {
        const before = contentsOf(index);
        let touched: readonly Touched[];
        if (step.do === 'put') {
          standing.set(sourceKey(step.source), step);
          touched = index.put(step.source, { keys, ownNamespace, catalog });
        } else if (step.do === 'remove') {
          standing.delete(sourceKey(step.source));
          touched = index.remove(sourceKey(step.source));
        } else {
          catalog = step.catalog;
          touched = index.resolveAll({ keys, ownNamespace, catalog });
        }
        const after = contentsOf(index);
        const named = touched.map(({ cluster, target }) => `${cluster} ${targetKey(target)}`);
        expect(named).toEqual(expect.arrayContaining([...differences(before, after)]));
        const fresh = new ClaimIndex();
        for (const { source } of standing.values()) {
          fresh.put(source, { keys, ownNamespace, catalog });
        }
        expect(after).toEqual(contentsOf(fresh));
        expect(index.sources).toBe(standing.size);
        expect([...index.resolutions()].map(({ source }) => sourceKey(source)).sort()).toEqual(
          [...standing.keys()].sort(),
        );
      }
    }),
    { numRuns: 300 },
  );
});

it('names nothing when contexts change without any effect on a claim', () => {
  fc.assert(
    fc.property(catalogs, fc.array(sources, { maxLength: 4 }), (catalog, records) => {
      const index = new ClaimIndex();
      const circumstances = { keys, ownNamespace, catalog };
      for (const record of records) {
        index.put(record, circumstances);
      }
      expect(index.resolveAll(circumstances)).toEqual([]);
    }),
  );
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

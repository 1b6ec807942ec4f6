// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the case that was generated
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Resolution, resolve } from '../../../../controller/claims/resolve.ts';
import type { CatalogContext } from '../../../../shared/catalog/catalog.ts';
import { ContextPolicies } from '../../../../shared/catalog/context-policies.ts';
import { aContext, aSource, catalogs, circumstancesOf, keys, ownNamespace, sources } from '../arbitraries.ts';

const runs = { numRuns: 1_000 };

describe('claims, for any list and any contexts', () => {
  it('are never on the source cluster, and never into or out of a system namespace', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const { claims } = resolve(source, { keys, ownNamespace, catalog });
        for (const claim of claims) {
          const context = catalog.contexts.get(claim.context);
          expect(context).toMatchObject({ isSource: false, identified: true });
          expect(claim.cluster).toBe(context?.cluster);
          for (const { namespace } of [claim.target, source]) {
            expect(namespace).not.toMatch(/^kube-/);
            expect(namespace).not.toBe(ownNamespace);
          }
          expect(claim.target).toEqual({
            kind: source.kind,
            namespace: context?.namespace ?? source.namespace,
            name: source.name,
          });
        }
      }),
      runs,
    );
  });

  it('are those of valid contexts, and only updates where two contexts are one cluster', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const { claims, violations, names } = resolve(source, { keys, ownNamespace, catalog });
        for (const claim of claims) {
          const twins = names.filter((name) => catalog.contexts.get(name)?.cluster === claim.cluster);
          expect(claim.updateOnly).toBe(twins.length > 1);
          const against = violations.filter(({ contexts }) => contexts.includes(claim.context));
          expect(against.every(({ reason }) => reason === 'SameCluster')).toBe(true);
        }
        const unique = new Set(claims.map(({ context }) => context));
        expect(unique.size).toBe(claims.length);
      }),
      runs,
    );
  });

  it('are none, and their absence proves nothing, while a context of the list is being reached for the first time', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const resolution = resolve(source, { keys, ownNamespace, catalog });
        const contexts = resolution.names.flatMap((name) => catalog.contexts.get(name) ?? []);
        expect(resolution.settling).toBe(contexts.some(({ settling }) => settling));
        if (resolution.settling) {
          expect(resolution).toMatchObject({ claims: [], conclusive: false });
        }
      }),
      runs,
    );
  });

  it('are conclusive only where nothing is wrong with the list and every cluster is identified', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const { conclusive, violations, names, claims } = resolve(source, { keys, ownNamespace, catalog });
        if (conclusive) {
          expect(violations).toEqual([]);
          expect(claims.map(({ context }) => context)).toEqual(names);
        }
      }),
      runs,
    );
  });

  it('are the same for the same record and contexts', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const circumstances = { keys, ownNamespace, catalog };
        expect(resolve({ ...source }, circumstances)).toEqual(resolve(source, circumstances));
      }),
    );
  });
});

function resolved(syncContexts: string, ...contexts: readonly CatalogContext[]): Resolution {
  return resolve(aSource({ syncContexts }), circumstancesOf(...contexts));
}

function summary({ claims, violations, conclusive }: Resolution): unknown {
  return {
    served: claims.map(({ context }) => context),
    violations: violations.map(({ reason }) => reason),
    conclusive,
  };
}

describe('a list', () => {
  const c1 = aContext('c1');
  const c2 = aContext('c2');

  it('of valid contexts is served and conclusive', () => {
    expect(summary(resolved('c1, c2', c1, c2))).toEqual({
      served: ['c1', 'c2'],
      violations: [],
      conclusive: true,
    });
  });

  it('that names a context twice means it once', () => {
    expect(summary(resolved('c1,c1', c1))).toEqual({ served: ['c1'], violations: [], conclusive: true });
  });

  it.each(['', ',', ' , '])('without any name (%j) serves nothing and proves nothing', (list) => {
    expect(summary(resolved(list, c1))).toEqual({
      served: [],
      violations: ['EmptyList'],
      conclusive: false,
    });
  });

  it('with an empty entry serves the others and proves nothing', () => {
    expect(summary(resolved('c1,,c2', c1, c2))).toEqual({
      served: ['c1', 'c2'],
      violations: ['EmptyName'],
      conclusive: false,
    });
  });

  it('with an unknown name serves the others and proves nothing', () => {
    expect(summary(resolved('c1,nobody', c1, c2))).toEqual({
      served: ['c1'],
      violations: ['UnknownContext'],
      conclusive: false,
    });
  });

  it('with the source cluster serves the others and proves nothing', () => {
    expect(summary(resolved('hub,c1', aContext('hub', { isSource: true }), c1))).toEqual({
      served: ['c1'],
      violations: ['SourceCluster'],
      conclusive: false,
    });
  });

  it('with a context that the policies do not allow serves the others and proves nothing', () => {
    const { catalog } = circumstancesOf(c1, c2);
    const policies = new ContextPolicies(
      [{ contexts: ['c2'], sourceNamespaces: ['elsewhere'], kinds: ['ConfigMap', 'Secret'] }],
      'allow',
    );
    const circumstances = { ...circumstancesOf(), catalog: { ...catalog, policies } };
    expect(summary(resolve(aSource({ syncContexts: 'c1,c2' }), circumstances))).toEqual({
      served: ['c1'],
      violations: ['ContextNotAllowed'],
      conclusive: false,
    });
  });

  it('with two names of one cluster only updates there, and serves the others in full', () => {
    const alias = aContext('alias', { cluster: c1.cluster });
    const { claims, violations, conclusive } = resolved('c1,alias,c2', c1, alias, c2);
    expect(claims.map(({ context, updateOnly }) => [context, updateOnly])).toEqual([
      ['c1', true],
      ['alias', true],
      ['c2', false],
    ]);
    expect([violations.map(({ reason }) => reason), conclusive]).toEqual([['SameCluster'], false]);
  });

  it('with a cluster that has not said who it is serves the others, says why, and proves nothing', () => {
    const lost = aContext('lost', { identified: false, problem: 'its API server refuses connections' });
    const resolution = resolved('lost,c1', lost, c1);
    expect(summary(resolution)).toEqual({ served: ['c1'], violations: [], conclusive: false });
    expect(resolution.unavailable).toEqual([
      { context: 'lost', problem: 'its API server refuses connections' },
    ]);
  });

  it('is not followed on a copy, in a system namespace, or on a Secret that belongs to its cluster', () => {
    const circumstances = circumstancesOf(c1);
    const served = (over: Parameters<typeof aSource>[0], type?: string): number =>
      resolve(aSource(over), circumstances, type).claims.length;
    expect(served({})).toBe(1);
    expect(served({ isCopy: true })).toBe(0);
    expect(served({ namespace: 'kube-system' })).toBe(0);
    expect(served({ namespace: ownNamespace })).toBe(0);
    expect(served({ kind: 'Secret' }, 'helm.sh/release.v1')).toBe(0);
    expect(served({ kind: 'Secret' }, 'Opaque')).toBe(1);
  });
});

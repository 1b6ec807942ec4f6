// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the case that was generated
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { targetOf } from '../../../../controller/claims/claim.ts';
import { type Resolution, resolve } from '../../../../controller/claims/resolve.ts';
import type { CatalogContext } from '../../../../shared/catalog/catalog.ts';
import { ContextPolicies } from '../../../../shared/catalog/context-policies.ts';
import { aContext, aSource, catalogs, circumstancesOf, keys, ownNamespace, sources } from '../arbitraries.ts';

const runs = { numRuns: 1_000 };

describe('what a list asks for, whatever the list and the contexts', () => {
  it('is never on the source cluster, and never into or out of a system namespace', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const { asks } = resolve(source, { keys, ownNamespace, catalog });
        for (const ask of asks) {
          const context = catalog.contexts.get(ask.context);
          expect(context).toMatchObject({ isSource: false, identified: true });
          expect(ask.cluster).toBe(context?.cluster);
          expect(ask.namespace).toBe(context?.namespace);
          for (const namespace of [targetOf(source, ask).namespace, source.namespace]) {
            expect(namespace).not.toMatch(/^kube-/);
            expect(namespace).not.toBe(ownNamespace);
          }
        }
      }),
      runs,
    );
  });

  it('is by valid contexts, one ask each, and only updates where two contexts are one cluster', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const { asks, violations, names } = resolve(source, { keys, ownNamespace, catalog });
        for (const ask of asks) {
          const twins = names.filter((name) => catalog.contexts.get(name)?.cluster === ask.cluster);
          expect(ask.creation === 'ambiguous').toBe(twins.length > 1);
          const against = violations.filter(({ contexts }) => contexts.includes(ask.context));
          expect(against.every(({ reason }) => reason === 'SameCluster')).toBe(true);
        }
        expect(new Set(asks.map(({ context }) => context)).size).toBe(asks.length);
      }),
      runs,
    );
  });

  it('creates nothing while a context of the list is being reached for the first time: it may be any of the clusters', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const { asks, settling } = resolve(source, { keys, ownNamespace, catalog });
        if (settling) {
          expect(asks.map(({ creation }) => creation)).not.toContain('allowed');
        } else {
          expect(asks.map(({ creation }) => creation)).not.toContain('settling');
        }
      }),
      runs,
    );
  });

  it('leaves out no context of a list without violations, but those whose cluster is not identified', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const { asks, unidentified, violations, names } = resolve(source, { keys, ownNamespace, catalog });
        if (violations.length === 0) {
          const all = [...asks.map(({ context }) => context), ...unidentified.map(({ name }) => name)];
          expect(all.sort()).toEqual([...names].sort());
        }
      }),
      runs,
    );
  });

  it('is the same for all objects of a namespace that carry the list', () => {
    fc.assert(
      fc.property(sources, catalogs, (source, catalog) => {
        const circumstances = { keys, ownNamespace, catalog };
        const other = { ...source, name: 'another', uid: 'of another', resourceVersion: '1' };
        expect(resolve(other, circumstances)).toEqual(resolve(source, circumstances));
      }),
    );
  });
});

function resolved(syncContexts: string, ...contexts: readonly CatalogContext[]): Resolution {
  return resolve(aSource({ syncContexts }), circumstancesOf(...contexts));
}

function summary({ asks, violations }: Resolution): unknown {
  return {
    served: asks.map(({ context }) => context),
    violations: violations.map(({ reason }) => reason),
  };
}

describe('a list', () => {
  const c1 = aContext('c1');
  const c2 = aContext('c2');

  it('of valid contexts is served', () => {
    expect(summary(resolved('c1, c2', c1, c2))).toEqual({
      served: ['c1', 'c2'],
      violations: [],
    });
  });

  it('that names a context twice means it once', () => {
    expect(summary(resolved('c1,c1', c1))).toEqual({ served: ['c1'], violations: [] });
  });

  it.each(['', ',', ' , '])('without any name (%j) serves nothing', (list) => {
    expect(summary(resolved(list, c1))).toEqual({
      served: [],
      violations: ['EmptyList'],
    });
  });

  it('with an empty entry serves the others', () => {
    expect(summary(resolved('c1,,c2', c1, c2))).toEqual({
      served: ['c1', 'c2'],
      violations: ['EmptyName'],
    });
  });

  it('with an unknown name serves the others', () => {
    expect(summary(resolved('c1,nobody', c1, c2))).toEqual({
      served: ['c1'],
      violations: ['UnknownContext'],
    });
  });

  it('with the source cluster serves the others', () => {
    expect(summary(resolved('hub,c1', aContext('hub', { isSource: true }), c1))).toEqual({
      served: ['c1'],
      violations: ['SourceCluster'],
    });
  });

  it('with a context that the policies do not allow serves the others', () => {
    const { catalog } = circumstancesOf(c1, c2);
    const policies = new ContextPolicies(
      [{ contexts: ['c2'], sourceNamespaces: ['elsewhere'], kinds: ['ConfigMap', 'Secret'] }],
      'allow',
    );
    const circumstances = { ...circumstancesOf(), catalog: { ...catalog, policies } };
    expect(summary(resolve(aSource({ syncContexts: 'c1,c2' }), circumstances))).toEqual({
      served: ['c1'],
      violations: ['ContextNotAllowed'],
    });
  });

  it('with two names of one cluster only updates there, and serves the others in full', () => {
    const alias = aContext('alias', { cluster: c1.cluster });
    const { asks, violations } = resolved('c1,alias,c2', c1, alias, c2);
    expect(asks.map(({ context, creation }) => [context, creation])).toEqual([
      ['c1', 'ambiguous'],
      ['alias', 'ambiguous'],
      ['c2', 'allowed'],
    ]);
    expect(violations.map(({ reason }) => reason)).toEqual(['SameCluster']);
  });

  it('with a cluster that has not said who it is serves the others, and says why', () => {
    const lost = aContext('lost', { identified: false, problem: 'its API server refuses connections' });
    const resolution = resolved('lost,c1', lost, c1);
    expect(summary(resolution)).toEqual({ served: ['c1'], violations: [] });
    expect(resolution.unidentified).toEqual([lost]);
  });

  it('is not followed on a copy, in a system namespace, or on a Secret that belongs to its cluster', () => {
    const circumstances = circumstancesOf(c1);
    const served = (over: Parameters<typeof aSource>[0], type?: string): number =>
      resolve(aSource(over), circumstances, type).asks.length;
    expect(served({})).toBe(1);
    expect(served({ isCopy: true })).toBe(0);
    expect(served({ namespace: 'kube-system' })).toBe(0);
    expect(served({ namespace: ownNamespace })).toBe(0);
    expect(served({ kind: 'Secret' }, 'helm.sh/release.v1')).toBe(0);
    expect(served({ kind: 'Secret' }, 'Opaque')).toBe(1);
  });
});

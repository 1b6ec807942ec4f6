import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Origin } from '../../../../controller/copy/origin.ts';
import type { Release } from '../../../../controller/reconcile/facts.ts';
import { releaseOf } from '../../../../controller/reconcile/release.ts';
import type { CatalogContext } from '../../../../shared/catalog/catalog.ts';
import { ContextPolicies } from '../../../../shared/catalog/context-policies.ts';
import type { KubeObject } from '../../../../shared/kube/object.ts';
import { parseContextList } from '../../../../shared/sync-contexts.ts';
import {
  aContext,
  catalogs,
  circumstancesOf,
  contextNames,
  keys,
  kindNames,
  lists,
  ownNamespace,
} from '../arbitraries.ts';

function live(syncContexts: string | undefined, more: Readonly<Record<string, string>> = {}): KubeObject {
  const annotations = syncContexts === undefined ? more : { ...more, [keys.syncContexts]: syncContexts };
  return {
    metadata: { namespace: 'demo', name: 'omni', uid: 'uid-omni', resourceVersion: '5', annotations },
  };
}

const origins: fc.Arbitrary<Origin> = fc.constantFrom(undefined, ...contextNames).map((context) => ({
  namespace: 'demo',
  name: 'omni',
  uid: 'uid-omni',
  resourceVersion: '1',
  ...(context === undefined ? {} : { context }),
}));

describe('whether a copy may go', () => {
  it('is never inferred from a list with anything wrong, unidentified or still naming its context', () => {
    fc.assert(
      fc.property(
        kindNames,
        fc.constantFrom('demo', 'team'),
        fc.constantFrom('cluster-1', 'cluster-2'),
        origins,
        lists,
        catalogs,
        (kind, namespace, cluster, origin, list, catalog) => {
          const circumstances = { keys, ownNamespace, catalog };
          const release = releaseOf(
            { kind, namespace, name: 'omni' },
            cluster,
            origin,
            live(list),
            circumstances,
          );
          if (!release.released) {
            return;
          }
          expect(release.reason).toBe('ContextDelisted');
          const { names, hasEmptyName } = parseContextList(list);
          expect([names.length > 0, hasEmptyName]).toEqual([true, false]);
          expect(origin.context).toBeDefined();
          expect(names).not.toContain(origin.context);
          const contexts = names.map((name) => catalog.contexts.get(name));
          for (const context of contexts) {
            expect(context).toMatchObject({ identified: true, settling: false, isSource: false });
            expect([context?.cluster, context?.namespace ?? 'demo']).not.toEqual([cluster, namespace]);
          }
          expect(new Set(contexts.map((context) => context?.cluster)).size).toBe(names.length);
        },
      ),
      { numRuns: 1_500 },
    );
  });

  const target = { kind: 'ConfigMap', namespace: 'demo', name: 'omni' } as const;
  const origin = { namespace: 'demo', name: 'omni', uid: 'uid-omni', resourceVersion: '1', context: 'c1' };
  const [c1, c2] = [aContext('c1'), aContext('c2')];
  const of = (object: KubeObject | undefined, ...contexts: readonly CatalogContext[]): Release =>
    releaseOf(target, 'cluster-c1', origin, object, circumstancesOf(...contexts));

  it('follows from the source being gone', () => {
    expect(of(undefined, c1)).toEqual({ released: true, reason: 'SourceDeleted' });
  });

  it('follows from the annotation being gone, also where no context is known any more', () => {
    expect(of(live(undefined))).toEqual({ released: true, reason: 'AnnotationRemoved' });
  });

  it('follows from a valid list without the context', () => {
    expect(of(live('c2'), c1, c2)).toEqual({ released: true, reason: 'ContextDelisted' });
  });

  it.each(['', ',', 'c2,', 'c2,nobody', 'nobody'])('does not follow from the invalid list %j', (list) => {
    expect(of(live(list), c1, c2)).toEqual({ released: false, reason: 'ListInvalid' });
  });

  it('does not follow from a list that names the source cluster or one cluster twice', () => {
    const hub = aContext('hub', { isSource: true });
    const alias = aContext('alias', { cluster: c2.cluster });
    expect(of(live('c2,hub'), c1, c2, hub)).toEqual({ released: false, reason: 'ListInvalid' });
    expect(of(live('c2,alias'), c1, c2, alias)).toEqual({ released: false, reason: 'ListInvalid' });
  });

  it('does not follow from policies, only from what the source does then', () => {
    const { catalog } = circumstancesOf(c1, c2);
    const circumstances = {
      keys,
      ownNamespace,
      catalog: { ...catalog, policies: new ContextPolicies([], 'deny') },
    };
    const under = (object: KubeObject | undefined): Release =>
      releaseOf(target, 'cluster-c1', origin, object, circumstances);
    expect(under(live('c1'))).toEqual({ released: false, reason: 'ListInvalid' });
    expect(under(live('c1,c2'))).toEqual({ released: false, reason: 'ListInvalid' });
    expect(under(live(undefined))).toEqual({ released: true, reason: 'AnnotationRemoved' });
    expect(under(undefined)).toEqual({ released: true, reason: 'SourceDeleted' });
  });

  it('does not follow while another name of the same object is listed: the context was renamed', () => {
    const renamed = aContext('new-name', { cluster: c1.cluster });
    expect(of(live('new-name'), renamed)).toEqual({ released: false, reason: 'StillListed' });
  });

  it('does not follow where the listed context now means another cluster or namespace', () => {
    const moved = aContext('c1', { cluster: 'cluster-elsewhere' });
    expect(of(live('c1'), moved)).toEqual({ released: false, reason: 'ContextMoved' });
    const renamespaced = aContext('c1', { namespace: 'team' });
    expect(of(live('c1'), renamespaced)).toEqual({ released: false, reason: 'ContextMoved' });
  });

  it('does not follow where the context left the kubeconfig', () => {
    expect(of(live('c1,c2'), c2)).toEqual({ released: false, reason: 'ListInvalid' });
  });

  it('waits while a cluster of the list has not said who it is', () => {
    expect(of(live('c2'), c1, aContext('c2', { identified: false }))).toEqual({
      released: false,
      reason: 'ContextUnidentified',
    });
    expect(of(live('c2'), c1, aContext('c2', { settling: true }))).toEqual({
      released: false,
      reason: 'ContextUnidentified',
    });
  });

  it('does not follow from a source that is a copy itself', () => {
    expect(of(live('c2', { [keys.origin]: '{}' }), c1, c2)).toEqual({
      released: false,
      reason: 'ListInvalid',
    });
  });
});

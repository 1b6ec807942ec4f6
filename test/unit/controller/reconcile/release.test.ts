import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CopyRecord } from '../../../../controller/copy/copy-record.ts';
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

type Marks = Pick<CopyRecord, 'origin' | 'context' | 'placed'>;

const marks: fc.Arbitrary<Marks> = fc.record({
  origin: fc.constant({ namespace: 'demo', name: 'omni', uid: 'uid-omni', resourceVersion: '1' }),
  context: fc.constantFrom(undefined, ...contextNames),
  placed: fc.boolean(),
});

describe('whether a copy may go', () => {
  it('is never inferred from a list with anything wrong, unidentified or still naming its context', () => {
    fc.assert(
      fc.property(
        kindNames,
        fc.constantFrom('demo', 'team'),
        fc.constantFrom('cluster-1', 'cluster-2'),
        marks,
        lists,
        catalogs,
        (kind, namespace, cluster, { origin, context: madeBy, placed }, list, catalog) => {
          const circumstances = { keys, ownNamespace, catalog };
          const release = releaseOf(
            { kind, namespace, name: 'omni' },
            cluster,
            { origin, context: madeBy, placed },
            live(list),
            circumstances,
          );
          if (!release.released) {
            return;
          }
          const places = [...catalog.contexts.values()].flatMap((context) =>
            context.cluster === cluster ? (context.namespace ?? []) : [],
          );
          expect([...(placed ? [namespace] : ['demo']), ...places]).toContain(namespace);
          expect(release.reason).toBe('ContextDelisted');
          const { names, hasEmptyName } = parseContextList(list);
          expect([names.length > 0, hasEmptyName]).toEqual([true, false]);
          expect(madeBy).toBeDefined();
          expect(names).not.toContain(madeBy);
          const contexts = names.map((name) => catalog.contexts.get(name));
          for (const context of contexts) {
            expect(context).toMatchObject({ isSource: false });
            const isPlace = (context?.namespace ?? 'demo') === namespace;
            expect(isPlace && context?.cluster === cluster).toBe(false);
            expect(isPlace && context?.identified === false).toBe(false);
          }
          expect(new Set(contexts.map((context) => context?.cluster)).size).toBe(names.length);
        },
      ),
      { numRuns: 1_500 },
    );
  });

  const target = { kind: 'ConfigMap', namespace: 'demo', name: 'omni' } as const;
  const unplaced: Marks = {
    origin: { namespace: 'demo', name: 'omni', uid: 'uid-omni', resourceVersion: '1' },
    context: 'c1',
    placed: false,
  };
  const [c1, c2] = [aContext('c1'), aContext('c2')];
  const of = (object: KubeObject | undefined, ...contexts: readonly CatalogContext[]): Release =>
    releaseOf(target, 'cluster-c1', { ...unplaced, placed: true }, object, circumstancesOf(...contexts));

  it('does not follow for a copy that records no place where copies of this cluster are not put: it may be a clone', () => {
    const elsewhere = { ...target, namespace: 'elsewhere' };
    const unrecorded = { released: false, reason: 'PlaceUnrecorded' };
    const release = (given: Marks, ...contexts: readonly CatalogContext[]): Release =>
      releaseOf(elsewhere, 'cluster-c1', given, undefined, circumstancesOf(...contexts));
    expect(release(unplaced, c1)).toEqual(unrecorded);
    expect(release(unplaced, c1, aContext('c2', { namespace: 'elsewhere' }))).toEqual(unrecorded);
    const released = { released: true, reason: 'SourceDeleted' };
    expect(release(unplaced, aContext('c1', { namespace: 'elsewhere' }))).toEqual(released);
    expect(release({ ...unplaced, placed: true }, c1)).toEqual(released);
  });

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
      releaseOf(target, 'cluster-c1', { ...unplaced, placed: true }, object, circumstances);
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

  it('waits for a listed context that is not identified: any address can be a second one of this cluster', () => {
    const waits = { released: false, reason: 'ContextUnidentified' };
    const c2 = (over: Partial<CatalogContext>): CatalogContext =>
      aContext('c2', { identified: false, ...over });
    expect(of(live('c2'), c1, c2({ cluster: c1.cluster }))).toEqual(waits);
    expect(of(live('c2'), c1, c2({ settling: true }))).toEqual(waits);
    expect(of(live('c2'), c1, c2({ cluster: 'url:second', problem: 'it is silent' }))).toEqual(waits);
  });

  it('does not wait for a context that puts its copies elsewhere', () => {
    const bound = aContext('c2', { identified: false, cluster: c1.cluster, namespace: 'team' });
    expect(of(live('c2'), c1, bound)).toEqual({ released: true, reason: 'ContextDelisted' });
  });

  it('does not follow from a source that is a copy itself', () => {
    expect(of(live('c2', { [keys.origin]: '{}' }), c1, c2)).toEqual({
      released: false,
      reason: 'ListInvalid',
    });
  });
});

import type { CatalogContext } from '../../shared/catalog/catalog.ts';
import type { Circumstances } from '../../shared/rules/subject.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';
import type { TargetRef } from '../copy/target-ref.ts';
import { type SourceKey, type SourceRecord, sourceKey } from '../source/source-record.ts';
import { type Ask, type Claim, claimOf, isSameAsk, targetOf } from './claim.ts';
import { type Resolution, resolve } from './resolve.ts';

/** A target object whose claims changed. */
export interface Touched {
  readonly cluster: string;
  readonly target: TargetRef;
}

/** A list whose resolution changed with the contexts, and the sources that carry it. */
export interface ChangedList {
  readonly resolution: Resolution;
  readonly sources: ReadonlyMap<SourceKey, SourceRecord>;
  /** The asks that are gone or new. */
  readonly touched: readonly Ask[];
  /** It was in violation, which kept copies of contexts that are no longer on it. */
  readonly becameValid: boolean;
}

/** An annotation as all objects of one kind and namespace carry it that have the same text. */
interface List {
  readonly kind: SyncedKindName;
  readonly namespace: string;
  resolution: Resolution;
  readonly sources: Map<SourceKey, SourceRecord>;
}

/**
 * Who asks for which target object. Claims are derived when they are asked for; what is kept is each distinct list,
 * resolved once, with its sources: O(sources + entries of distinct lists).
 */
export class Claims {
  readonly #lists = new Map<string, List>();
  /** The lists that name a context, known or not. */
  readonly #byContext = new Map<string, Set<List>>();
  /** Sources by kind and name: contexts that are bound to a namespace bring sources of several namespaces to one object. */
  readonly #byName = new Map<string, Set<SourceKey>>();
  readonly #bySource = new Map<SourceKey, List>();
  /** Namespaces that contexts of a cluster are bound to. */
  #bound = new Map<string, Set<string>>();
  /** Contexts by cluster, identified ones only. */
  #contexts = new Map<string, CatalogContext[]>();
  #circumstances: Circumstances;

  constructor(circumstances: Circumstances) {
    this.#circumstances = circumstances;
    this.#groupContexts();
  }

  get circumstances(): Circumstances {
    return this.#circumstances;
  }

  get sources(): number {
    return this.#bySource.size;
  }

  /** The resolution of a source's list; undefined where there is no such source. */
  resolutionOf(key: SourceKey): Resolution | undefined {
    return this.#bySource.get(key)?.resolution;
  }

  /** The claims on one object, in no particular order. */
  on(cluster: string, target: TargetRef): readonly Claim[] {
    const claims: Claim[] = [];
    const take = (key: SourceKey): void => {
      const list = this.#bySource.get(key);
      const source = list?.sources.get(key);
      for (const ask of list?.resolution.asks ?? []) {
        if (source !== undefined && ask.cluster === cluster) {
          if ((ask.namespace ?? source.namespace) === target.namespace) {
            claims.push(claimOf(source, ask));
          }
        }
      }
    };
    const own = sourceKey(target);
    take(own);
    if (this.#bound.get(cluster)?.has(target.namespace) === true) {
      for (const key of this.#byName.get(nameKey(target)) ?? []) {
        if (key !== own) {
          take(key);
        }
      }
    }
    return claims;
  }

  /** Every object of a kind on a cluster that is claimed, some perhaps more than once. It can be iterated while claims change. */
  *targetsOf(cluster: string, kind: SyncedKindName): Generator<TargetRef> {
    for (const [list, ask] of this.#asksOf(cluster, kind)) {
      for (const source of list.sources.values()) {
        yield targetOf(source, ask);
      }
    }
  }

  /** The namespaces of a cluster in which objects of this kind are claimed. */
  namespacesOf(cluster: string, kind: SyncedKindName): ReadonlySet<string> {
    return new Set([...this.#asksOf(cluster, kind)].map(([list, ask]) => ask.namespace ?? list.namespace));
  }

  *#asksOf(cluster: string, kind: SyncedKindName): Generator<readonly [List, Ask]> {
    for (const { name } of this.#contexts.get(cluster) ?? []) {
      for (const list of this.#byContext.get(name) ?? []) {
        const ask = list.resolution.asks.find(({ context }) => context === name);
        if (list.kind === kind && ask?.cluster === cluster) {
          yield [list, ask];
        }
      }
    }
  }

  /** Sets, replaces or (undefined) removes a source; yields every object that it asked for before or asks for now. */
  put(key: SourceKey, source: SourceRecord | undefined): readonly Touched[] {
    const before = this.#bySource.get(key);
    const known = before?.sources.get(key);
    const touched =
      known === undefined ? [] : (before?.resolution.asks ?? []).map((ask) => touchedBy(known, ask));
    const after = source === undefined ? undefined : this.#listOf(source);
    if (before !== undefined && before !== after) {
      this.#leave(before, known, key);
    }
    if (after === undefined || source === undefined) {
      this.#bySource.delete(key);
      return touched;
    }
    after.sources.set(key, source);
    this.#bySource.set(key, after);
    const name = nameKey(source);
    this.#byName.set(name, (this.#byName.get(name) ?? new Set()).add(key));
    const asked = new Set(before === after ? touched.map(({ cluster }) => cluster) : []);
    return [
      ...touched,
      ...after.resolution.asks
        .filter(({ cluster }) => !asked.has(cluster))
        .map((ask) => touchedBy(source, ask)),
    ];
  }

  /** Takes new contexts, and resolves the lists again that they concern; yields those with another resolution. */
  useCircumstances(circumstances: Circumstances): readonly ChangedList[] {
    const before = this.#circumstances;
    this.#circumstances = circumstances;
    this.#groupContexts();
    return this.#concerned(before, circumstances).flatMap((list) => {
      const [source] = list.sources.values();
      if (source === undefined) {
        return [];
      }
      const known = list.resolution;
      const resolution = resolve(source, circumstances);
      list.resolution = resolution;
      const touched = [...without(known.asks, resolution.asks), ...without(resolution.asks, known.asks)];
      const becameValid = known.violations.length > 0 && resolution.violations.length === 0;
      return [{ resolution, sources: list.sources, touched, becameValid }];
    });
  }

  /** The lists that name a context which changed, and all that are in violation: their sentences name other contexts, too. */
  #concerned(before: Circumstances, after: Circumstances): readonly List[] {
    const old = before.catalog.contexts;
    const now = after.catalog.contexts;
    const names = new Set([...old.keys(), ...now.keys()]);
    const changed = [...names].filter((name) => !isSameContext(old.get(name), now.get(name)));
    const concerned = new Set(changed.flatMap((name) => [...(this.#byContext.get(name) ?? [])]));
    if (changed.length > 0 || [...old.keys()].join() !== [...now.keys()].join()) {
      for (const list of this.#lists.values()) {
        if (list.resolution.violations.length > 0) {
          concerned.add(list);
        }
      }
    }
    return [...concerned];
  }

  #listOf(source: SourceRecord): List {
    const key = listKey(source);
    const known = this.#lists.get(key);
    if (known !== undefined) {
      return known;
    }
    const { kind, namespace } = source;
    const resolution = resolve(source, this.#circumstances);
    const list: List = { kind, namespace, resolution, sources: new Map() };
    this.#lists.set(key, list);
    for (const name of list.resolution.names) {
      this.#byContext.set(name, (this.#byContext.get(name) ?? new Set()).add(list));
    }
    return list;
  }

  #leave(list: List, source: SourceRecord | undefined, key: SourceKey): void {
    list.sources.delete(key);
    if (source === undefined) {
      return;
    }
    deleteFrom(this.#byName, nameKey(source), key);
    if (list.sources.size === 0) {
      this.#lists.delete(listKey(source));
      for (const name of list.resolution.names) {
        deleteFrom(this.#byContext, name, list);
      }
    }
  }

  #groupContexts(): void {
    this.#contexts = new Map();
    this.#bound = new Map();
    for (const context of this.#circumstances.catalog.contexts.values()) {
      const { cluster, namespace, identified, isSource } = context;
      if (identified && !isSource) {
        this.#contexts.set(cluster, [...(this.#contexts.get(cluster) ?? []), context]);
        if (namespace !== undefined) {
          this.#bound.set(cluster, (this.#bound.get(cluster) ?? new Set()).add(namespace));
        }
      }
    }
  }
}

/** The asks that are not among the others. A list has one ask a context. */
function without(asks: readonly Ask[], others: readonly Ask[]): readonly Ask[] {
  const byContext = new Map(others.map((ask) => [ask.context, ask]));
  return asks.filter((ask) => {
    const other = byContext.get(ask.context);
    return other === undefined || !isSameAsk(ask, other);
  });
}

function touchedBy(source: SourceRecord, ask: Ask): Touched {
  return { cluster: ask.cluster, target: targetOf(source, ask) };
}

/** Neither a kind nor a namespace can hold a blank. */
function listKey({ kind, namespace, isCopy, syncContexts }: SourceRecord): string {
  return `${kind} ${namespace} ${isCopy} ${syncContexts}`;
}

function nameKey({ kind, name }: { readonly kind: SyncedKindName; readonly name: string }): string {
  return `${kind}/${name}`;
}

/** By all that a resolution depends on: whether a cluster answers is no part of that once it is known which one it is. */
function isSameContext(left: CatalogContext | undefined, right: CatalogContext | undefined): boolean {
  return (
    left?.cluster === right?.cluster &&
    left?.namespace === right?.namespace &&
    left?.server === right?.server &&
    left?.identified === right?.identified &&
    left?.settling === right?.settling &&
    left?.isSource === right?.isSource &&
    (left?.identified === true || left?.problem === right?.problem)
  );
}

function deleteFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key);
  values?.delete(value);
  if (values?.size === 0) {
    map.delete(key);
  }
}

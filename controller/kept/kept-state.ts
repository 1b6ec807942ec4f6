import { isRecord } from '../../shared/is-record.ts';
import { type SyncedKindName, syncedKinds } from '../../shared/synced-kind.ts';
import { LearntClusters } from '../contexts/learnt-clusters.ts';
import type { Trip } from '../guard/trip.ts';
import { KeptTrips } from './kept-trips.ts';

/** The key of the catalog ConfigMap's data that holds the state. */
export const stateKey = 'state.json';

/** Namespaces in all: some 70 bytes each, in an object of at most 1 MiB that also holds the catalog. */
const maxNamespaces = 5_000;

type NamespacesByKind = Map<SyncedKindName, Set<string>>;

/**
 * The little that must outlive a process: trips of the mass-deletion guard, for clusters that are watched
 * namespace by namespace, the namespaces that hold copies, and the learnt clusters. Everything else follows from what there is.
 *
 * All processes keep all of it, so that any of them can write it. About the namespaces of a cluster, the one that serves
 * it is right; see `KeptTrips` for the trips.
 */
export class KeptState {
  readonly learntClusters: LearntClusters;
  readonly #trips = new KeptTrips();
  readonly #namespaces = new Map<string, NamespacesByKind>();
  readonly #onChange: () => void;

  /** Called after every change, to have it written. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.learntClusters = new LearntClusters(onChange);
  }

  /**
   * Takes what `format` of any process wrote: its trips, but for the one that is `released`, and the namespaces of the
   * clusters that are not `served` here. False where the text is nothing of that kind; then nothing is taken.
   */
  take(text: string, served: (cluster: string) => boolean, released?: string): boolean {
    const document = parsed(text);
    if (document === undefined) {
      return false;
    }
    this.#trips.take(document, released);
    for (const cluster of this.#namespaces.keys()) {
      if (!served(cluster)) {
        this.#namespaces.delete(cluster);
      }
    }
    for (const [cluster, kinds] of entriesOf(document['namespaces'])) {
      if (!served(cluster)) {
        this.#takeNamespaces(cluster, kinds);
      }
    }
    this.learntClusters.take(document['clusters']);
    return true;
  }

  #takeNamespaces(cluster: string, kinds: unknown): void {
    const taken: NamespacesByKind = new Map();
    for (const { name: kind } of syncedKinds) {
      const names = listOf(isRecord(kinds) ? kinds[kind] : undefined);
      const texts = names.filter((name) => typeof name === 'string');
      if (texts.length > 0) {
        taken.set(kind, new Set(texts));
      }
    }
    if (taken.size > 0) {
      this.#namespaces.set(cluster, taken);
    }
  }

  /** The state as text; equal states give equal texts. Undefined where there is nothing to keep. */
  format(): string | undefined {
    const clusters = this.learntClusters.entries;
    const hasClusters = Object.keys(clusters).length > 0;
    const { trips, released } = this.#trips.entries;
    if (trips.length === 0 && released === undefined && this.#namespaces.size === 0 && !hasClusters) {
      return undefined;
    }
    const namespaces = sorted(this.#namespaces).map(([cluster, kinds]): [string, unknown] => [
      cluster,
      Object.fromEntries(sorted(kinds).map(([kind, names]) => [kind, [...names].toSorted()])),
    ]);
    const document = {
      trips,
      ...(released === undefined ? {} : { released }),
      namespaces: Object.fromEntries<unknown>(namespaces),
      ...(hasClusters ? { clusters } : {}),
    };
    return `${JSON.stringify(document, undefined, 2)}\n`;
  }

  get trips(): readonly Trip[] {
    return this.#trips.standing;
  }

  /** Names of the trips that were released, here or by another process. */
  get released(): readonly string[] {
    return this.#trips.released;
  }

  addTrip(trip: Trip): void {
    this.#trips.add(trip);
    this.#onChange();
  }

  /** A trip is released. */
  removeTrip(name: string): void {
    if (this.#trips.release(name)) {
      this.#onChange();
    }
  }

  /** The namespaces of one cluster. Remembering has no effect beyond the bound, so that an orphan there can be missed. */
  namespacesIn(cluster: string): {
    of(kind: SyncedKindName): ReadonlySet<string>;
    remember(kind: SyncedKindName, namespace: string): void;
    forget(kind: SyncedKindName, namespace: string): void;
    forgetAll(kind: SyncedKindName): void;
  } {
    return {
      of: (kind) => this.#namespaces.get(cluster)?.get(kind) ?? new Set(),
      remember: (kind, namespace) => {
        if (this.#add(cluster, kind, namespace)) {
          this.#onChange();
        }
      },
      forget: (kind, namespace) => {
        this.#remove(cluster, kind, (names) => names.delete(namespace));
      },
      forgetAll: (kind) => {
        this.#remove(cluster, kind, (names) => {
          names.clear();
          return true;
        });
      },
    };
  }

  /** True where the namespace is new. */
  #add(cluster: string, kind: SyncedKindName, namespace: string): boolean {
    const kinds: NamespacesByKind = this.#namespaces.get(cluster) ?? new Map();
    const names = kinds.get(kind) ?? new Set();
    if (names.has(namespace) || this.#countNamespaces() >= maxNamespaces) {
      return false;
    }
    this.#namespaces.set(cluster, kinds.set(kind, names.add(namespace)));
    return true;
  }

  #countNamespaces(): number {
    return [...this.#namespaces.values()].reduce(
      (sum, kinds) => sum + [...kinds.values()].reduce((of, names) => of + names.size, 0),
      0,
    );
  }

  #remove(cluster: string, kind: SyncedKindName, remove: (names: Set<string>) => boolean): void {
    const kinds = this.#namespaces.get(cluster);
    const names = kinds?.get(kind);
    if (kinds === undefined || names === undefined || !remove(names)) {
      return;
    }
    if (names.size === 0) {
      kinds.delete(kind);
    }
    if (kinds.size === 0) {
      this.#namespaces.delete(cluster);
    }
    this.#onChange();
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isRecord(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function entriesOf(value: unknown): readonly [string, unknown][] {
  return isRecord(value) ? Object.entries(value) : [];
}

function sorted<K extends string, V>(map: ReadonlyMap<K, V>): readonly [K, V][] {
  return [...map].toSorted(([left], [right]) => (left < right ? -1 : Number(left > right)));
}

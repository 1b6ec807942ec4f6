import { isRecord } from '../../shared/is-record.ts';
import { type SyncedKindName, syncedKinds } from '../../shared/synced-kind.ts';
import type { Trip, TripReason } from '../guard/trip.ts';

/** The key of the catalog ConfigMap's data that holds the state. */
export const stateKey = 'state.json';

/** Trips beyond this many: the oldest are dropped. A cluster has two at most. */
const maxTrips = 1_000;
/** Namespaces in all: some 70 bytes each, in an object of at most 1 MiB that also holds the catalog. */
const maxNamespaces = 5_000;

const tripReasons: readonly TripReason[] = ['TooManyDeletions', 'TooManyUnsealed', 'SourceRestored'];

type NamespacesByKind = Map<SyncedKindName, Set<string>>;

/**
 * The little that must outlive a process: trips of the mass-deletion guard, and for clusters that are watched
 * namespace by namespace, the namespaces that hold copies. Everything else follows from what there is.
 */
export class KeptState {
  readonly #trips = new Map<string, Trip>();
  readonly #namespaces = new Map<string, NamespacesByKind>();
  readonly #onChange: () => void;

  /** Called after every change, to have it written. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Takes what `format` wrote. False where the text is nothing of that kind; then nothing is taken. */
  load(text: string): boolean {
    const document = parsed(text);
    if (document === undefined) {
      return false;
    }
    for (const trip of listOf(document['trips'])) {
      if (isTrip(trip)) {
        this.#trips.set(trip.name, trip);
      }
    }
    for (const [cluster, kinds] of entriesOf(document['namespaces'])) {
      for (const { name: kind } of syncedKinds) {
        for (const namespace of listOf(isRecord(kinds) ? kinds[kind] : undefined)) {
          if (typeof namespace === 'string') {
            this.#add(cluster, kind, namespace);
          }
        }
      }
    }
    return true;
  }

  /** The state as text; equal states give equal texts. Undefined where there is nothing to keep. */
  format(): string | undefined {
    if (this.#trips.size === 0 && this.#namespaces.size === 0) {
      return undefined;
    }
    const namespaces = sorted(this.#namespaces).map(([cluster, kinds]): [string, unknown] => [
      cluster,
      Object.fromEntries(sorted(kinds).map(([kind, names]) => [kind, [...names].toSorted()])),
    ]);
    const document = {
      trips: sorted(this.#trips).map(([, trip]) => trip),
      namespaces: Object.fromEntries<unknown>(namespaces),
    };
    return `${JSON.stringify(document, undefined, 2)}\n`;
  }

  get trips(): readonly Trip[] {
    return [...this.#trips.values()];
  }

  addTrip(trip: Trip): void {
    this.#trips.set(trip.name, trip);
    const [oldest] = this.#trips.keys();
    if (this.#trips.size > maxTrips && oldest !== undefined) {
      this.#trips.delete(oldest);
    }
    this.#onChange();
  }

  removeTrip(name: string): void {
    if (this.#trips.delete(name)) {
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

function isTrip(value: unknown): value is Trip {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    (value['cluster'] === undefined || typeof value['cluster'] === 'string') &&
    tripReasons.some((reason) => reason === value['reason']) &&
    typeof value['since'] === 'string'
  );
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

import { isRecord } from '../../shared/is-record.ts';

/** Of more namespaces than this, the first by text are kept: 100 bytes each, in an object of at most 1 MiB. */
const maxNamespaces = 1_000;

/**
 * In which clusters namespaces are, both by uid, as far as that was learnt through other contexts than the one that shows
 * the namespace. Shared by all processes: else one that cannot reach those other contexts would know the cluster by another
 * identity, and so by another shard.
 *
 * What processes learnt is merged in whatever order it comes, with the same result: see `better`. That holds at the bound, too;
 * processes that kept different namespaces would write over each other without end. Nothing is forgotten: a namespace that
 * no context shows now can be that of a context that is down.
 */
export class LearntClusters {
  readonly #clusters = new Map<string, string>();
  readonly #onLearnt: () => void;
  #onTaken: () => void = () => undefined;

  /** `onLearnt`: called after this process learnt something, to have it written. */
  constructor(onLearnt: () => void) {
    this.#onLearnt = onLearnt;
  }

  /** Called after something was taken that another process learnt. */
  onTaken(listener: () => void): void {
    this.#onTaken = listener;
  }

  /** True when there is no room for more. */
  get isFull(): boolean {
    return this.#clusters.size >= maxNamespaces;
  }

  clusterOf(namespaceUid: string): string | undefined {
    return this.#clusters.get(namespaceUid);
  }

  learn(namespaceUid: string, cluster: string): void {
    if (this.#add(namespaceUid, cluster)) {
      this.#onLearnt();
    }
  }

  /** Takes the `entries` of any process; what is nothing of that kind is ignored. */
  take(entries: unknown): void {
    const taken = Object.entries(isRecord(entries) ? entries : {}).map(
      ([uid, cluster]) => typeof cluster === 'string' && this.#add(uid, cluster),
    );
    if (taken.includes(true)) {
      this.#onTaken();
    }
  }

  /** What is known, for `take`; equal knowledge gives equal entries in equal order. */
  get entries(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#clusters].toSorted(([left], [right]) => (left < right ? -1 : 1)));
  }

  /** True where that changed what is known. */
  #add(uid: string, cluster: string): boolean {
    const known = this.#clusters.get(uid);
    if (known !== undefined && better(known, cluster) === known) {
      return false;
    }
    if (known === undefined && this.isFull) {
      const last = [...this.#clusters.keys()].reduce((left, right) => (left < right ? right : left));
      if (last < uid) {
        return false;
      }
      this.#clusters.delete(last);
    }
    this.#clusters.set(uid, cluster);
    return true;
  }
}

/** The better of two identities that are said of one cluster: the uid of kube-system, else the first by text. */
export function better(left: string, right: string): string {
  const rank = (id: string): string => `${isKubeSystemUid(id) ? 0 : 1} ${id}`;
  return rank(right) < rank(left) ? right : left;
}

/** Ids of other evidence have a prefix, see `clusterId`. */
export function isKubeSystemUid(cluster: string): boolean {
  return !cluster.includes(':');
}

import type { TargetKey } from '../copy/target-ref.ts';
import type { PassUnderWay } from './pass-under-way.ts';

/** Passes that a namespace may have in flight while it hangs: a quarter of what its cluster has at least. */
const mayHang = 8;

interface Place {
  readonly passes: Set<PassUnderWay>;
  readonly held: Set<TargetKey>;
  /** The pass that ended last was overdue. */
  isSlow: boolean;
}

/**
 * Namespaces of one cluster in which writes get no answer, such as by an admission webhook that hangs. Only a few passes
 * over objects of such a namespace are in flight; the other objects wait, so that they hold up no other namespace. Bounded
 * by the keys of the lane.
 */
export class HangingNamespaces {
  readonly #places = new Map<string, Place>();

  /** A pass over an object of a namespace begins. False where it must not: `end` yields the key when it may. */
  begin(namespace: string, key: TargetKey, pass: PassUnderWay): boolean {
    const place = this.#places.get(namespace) ?? { passes: new Set(), held: new Set(), isSlow: false };
    if (place.passes.size >= mayHang && hangs(place)) {
      place.held.add(key);
      return false;
    }
    place.held.delete(key);
    place.passes.add(pass);
    this.#places.set(namespace, place);
    return true;
  }

  /** The pass ended; yields the keys that may be looked at now. */
  end(namespace: string, pass: PassUnderWay): readonly TargetKey[] {
    const place = this.#places.get(namespace);
    if (place === undefined) {
      return [];
    }
    place.passes.delete(pass);
    place.isSlow = pass.isOverdue;
    if (place.held.size === 0) {
      if (place.passes.size === 0 && !place.isSlow) {
        this.#places.delete(namespace);
      }
      return [];
    }
    const free = hangs(place) ? Math.max(0, mayHang - place.passes.size) : place.held.size;
    const freed = [...place.held.values().take(free)];
    for (const key of freed) {
      place.held.delete(key);
    }
    return freed;
  }
}

function hangs({ passes, isSlow }: Place): boolean {
  return isSlow || passes.values().some(({ isOverdue }) => isOverdue);
}

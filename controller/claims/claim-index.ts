import type { Circumstances } from '../../shared/rules/subject.ts';
import { type SourceKey, type SourceRecord, sourceKey } from '../source/source-record.ts';
import type { Claim } from './claim.ts';
import { type Resolution, resolve } from './resolve.ts';
import { type TargetKey, type TargetRef, targetKey } from './target-ref.ts';

/** A target object whose claims changed. */
export interface Touched {
  readonly cluster: string;
  readonly target: TargetRef;
}

/**
 * All claims, by target object: it follows from sources x contexts and holds nothing else.
 */
export class ClaimIndex {
  readonly #bySource = new Map<SourceKey, Resolution>();
  readonly #byTarget = new Map<string, Map<TargetKey, readonly Claim[]>>();

  get sources(): number {
    return this.#bySource.size;
  }

  resolutions(): Iterable<Resolution> {
    return this.#bySource.values();
  }

  resolutionOf(key: SourceKey): Resolution | undefined {
    return this.#bySource.get(key);
  }

  /** The claims on one object, in no particular order. */
  claimsOn(cluster: string, target: TargetRef): readonly Claim[] {
    return this.#byTarget.get(cluster)?.get(targetKey(target)) ?? [];
  }

  /** Every object of a cluster that somebody claims. */
  *targetsOf(cluster: string): Iterable<TargetRef> {
    for (const claims of this.#byTarget.get(cluster)?.values() ?? []) {
      const first = claims[0];
      if (first !== undefined) {
        yield first.target;
      }
    }
  }

  /** Sets or replaces what one source asks for; yields every object that it asked for before or asks for now. */
  put(source: SourceRecord, circumstances: Circumstances): readonly Touched[] {
    const key = sourceKey(source);
    const before = this.#bySource.get(key)?.claims ?? [];
    const resolution = resolve(source, circumstances);
    this.#bySource.set(key, resolution);
    return this.#exchange(before, resolution.claims);
  }

  /** Forgets a source; yields every object that it asked for. */
  remove(key: SourceKey): readonly Touched[] {
    const before = this.#bySource.get(key)?.claims ?? [];
    this.#bySource.delete(key);
    return this.#exchange(before, []);
  }

  /** Resolves every source again after a change of contexts; yields the objects whose claims are not what they were. */
  resolveAll(circumstances: Circumstances): readonly Touched[] {
    return [...this.#bySource.values()].flatMap((resolution) => {
      const before = JSON.stringify(resolution.claims.map(identityOf));
      const touched = this.put(resolution.source, circumstances);
      const after = this.#bySource.get(sourceKey(resolution.source))?.claims ?? [];
      return before === JSON.stringify(after.map(identityOf)) ? [] : touched;
    });
  }

  #exchange(before: readonly Claim[], after: readonly Claim[]): readonly Touched[] {
    const touched = new Map<string, Touched>();
    for (const claim of before) {
      this.#drop(claim);
      touched.set(`${claim.cluster} ${targetKey(claim.target)}`, claim);
    }
    for (const claim of after) {
      this.#add(claim);
      touched.set(`${claim.cluster} ${targetKey(claim.target)}`, claim);
    }
    return [...touched.values()].map(({ cluster, target }) => ({ cluster, target }));
  }

  #add(claim: Claim): void {
    const targets = this.#byTarget.get(claim.cluster) ?? new Map<TargetKey, readonly Claim[]>();
    this.#byTarget.set(claim.cluster, targets);
    const key = targetKey(claim.target);
    targets.set(key, [...(targets.get(key) ?? []), claim]);
  }

  #drop(claim: Claim): void {
    const targets = this.#byTarget.get(claim.cluster);
    const key = targetKey(claim.target);
    const rest = targets?.get(key)?.filter((other) => other !== claim) ?? [];
    if (rest.length > 0) {
      targets?.set(key, rest);
      return;
    }
    targets?.delete(key);
    if (targets?.size === 0) {
      this.#byTarget.delete(claim.cluster);
    }
  }
}

function identityOf({ context, cluster, target, updateOnly }: Claim): readonly unknown[] {
  return [context, cluster, targetKey(target), updateOnly];
}

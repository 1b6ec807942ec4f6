import type { ActiveAuthority, Authorities } from './authorities.ts';
import { issueLeaf, type Leaf } from './authority.ts';
import type { KeyMaterial } from './key-material.ts';
import type { LiveBundle } from './live-bundle.ts';
import { canSign, signsFrom } from './rotation.ts';
import { type LeafReason, leafRenewalAt, mayServe, whyNewLeaf } from './rotation-leaf.ts';
import type { RotationPolicy } from './rotation-policy.ts';

export interface LeafKeeperOptions {
  readonly names: readonly string[];
  readonly policy: RotationPolicy;
  readonly material: KeyMaterial;
  /** A leaf was issued and waits or serves. */
  readonly onIssued: (reason: LeafReason) => void;
  /** Puts a leaf to use. When it throws, the leaf that was in use stays, and a new one is issued next time. */
  readonly serve: (leaf: Leaf) => void;
}

/** The leaf in use, in memory only, and the one that waits to take its place. */
export class LeafKeeper {
  readonly #options: LeafKeeperOptions;
  #inUse: Leaf | undefined;
  #waiting: Leaf | undefined;

  constructor(options: LeafKeeperOptions) {
    this.#options = options;
  }

  get inUse(): Leaf | undefined {
    return this.#inUse;
  }

  /**
   * Issues and swaps as needed.
   *
   * @param now milliseconds since the epoch
   * @param asked the time before `authorities` was asked for: a new leaf lives from that moment
   */
  async keep(
    authorities: Authorities,
    live: LiveBundle | undefined,
    { now, asked }: { readonly now: number; readonly asked: number },
  ): Promise<void> {
    const { names, policy, material } = this.#options;
    const { signing } = authorities;
    if (!canSign(signing, now)) return;
    const reason = whyNewLeaf(this.#waiting ?? this.#inUse, { signing, names }, policy, now);
    if (reason !== undefined) {
      this.#waiting = await issueLeaf({ authority: signing, names, policy, now: asked }, material);
      this.#options.onIssued(reason);
    }
    const waiting = this.#waiting;
    if (waiting === undefined || !mayServe(waiting, this.#inUse, { signing, live, policy, now })) return;
    this.#waiting = undefined;
    this.#options.serve(waiting);
    this.#inUse = waiting;
  }

  /** When to look again, milliseconds since the epoch. */
  wakeAt(signing: ActiveAuthority): number {
    const { policy } = this.#options;
    if (this.#waiting !== undefined) return signsFrom(signing, policy);
    return this.#inUse === undefined ? Number.POSITIVE_INFINITY : leafRenewalAt(this.#inUse, policy);
  }
}

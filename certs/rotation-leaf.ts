import type { ActiveAuthority } from './authorities.ts';
import type { Leaf } from './authority.ts';
import { isCurrent, parseCertificate, shareOfLife } from './certificate.ts';
import { chainsTo, type LiveBundle } from './live-bundle.ts';
import { signsFrom } from './rotation.ts';
import type { RotationPolicy } from './rotation-policy.ts';

export type LeafReason = 'first' | 'names-changed' | 'authority-changed' | 'not-valid-now' | 'due';

/** Why a new leaf is to be issued now, or undefined while this one will do. */
export function whyNewLeaf(
  leaf: Leaf | undefined,
  wanted: { readonly signing: ActiveAuthority; readonly names: readonly string[] },
  policy: RotationPolicy,
  now: number,
): LeafReason | undefined {
  const certificate = leaf === undefined ? undefined : parseCertificate(leaf.certPem);
  if (leaf === undefined || certificate === undefined) return 'first';
  if (JSON.stringify(leaf.names) !== JSON.stringify(wanted.names)) return 'names-changed';
  if (leaf.issuerPem !== wanted.signing.certPem) return 'authority-changed';
  if (!isCurrent(certificate, now)) return 'not-valid-now';
  return now >= shareOfLife(certificate, policy.renewAfter) ? 'due' : undefined;
}

/** When to ask `whyNewLeaf` again, milliseconds since the epoch. */
export function leafRenewalAt(leaf: Leaf, policy: RotationPolicy): number {
  const certificate = parseCertificate(leaf.certPem);
  return certificate === undefined ? 0 : shareOfLife(certificate, policy.renewAfter);
}

/**
 * Whether a leaf that was issued takes the place of the one in use. One of another authority waits until that is in
 * the caBundle, and, while the one in use is good, until every API server had time to notice.
 */
export function mayServe(
  issued: Leaf,
  inUse: Leaf | undefined,
  view: {
    readonly signing: ActiveAuthority;
    readonly live: LiveBundle | undefined;
    readonly policy: RotationPolicy;
    readonly now: number;
  },
): boolean {
  const { signing, live = [], policy, now } = view;
  if (inUse === undefined || inUse.issuerPem === issued.issuerPem) return true;
  if (!chainsTo(issued.certPem, live)) return false;
  const current = parseCertificate(inUse.certPem);
  const good = current !== undefined && isCurrent(current, now) && chainsTo(inUse.certPem, live);
  return !good || now >= signsFrom(signing, policy);
}

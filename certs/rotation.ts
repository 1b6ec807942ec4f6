import {
  type ActiveAuthority,
  type Authorities,
  maxRetired,
  type RetiredAuthority,
  removed,
  trusted,
} from './authorities.ts';
import type { ParsedAuthorities } from './authorities-document.ts';
import { type Certificate, isCurrent, parseCertificate, shareOfLife } from './certificate.ts';
import { bundleText, holds, type LiveBundle, trustedByAll, trustedByAny } from './live-bundle.ts';
import type { RotationPolicy } from './rotation-policy.ts';

/** All that a step is decided from. */
export interface RotationView {
  readonly stored: ParsedAuthorities | { readonly kind: 'absent' };
  /** Undefined while there is no webhook configuration. */
  readonly live: LiveBundle | undefined;
  /** The authority (PEM) of the leaf that this replica serves with. */
  readonly inUse: string | undefined;
  readonly policy: RotationPolicy;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Steps that change the Secret. */
export type SecretStep =
  /** There is none: make the first authority. */
  | 'create'
  /** Nothing in it can sign now: make a new authority that signs at once. */
  | 'replace'
  /** Parts of it are damaged: write what is whole. */
  | 'repair'
  /** The caBundle holds what the Secret does not know: keep it for as long as a leaf of it can live. */
  | 'adopt'
  /** Authorities were read back from the caBundle: note since when. */
  | 'record'
  /** The new authority signs from now on, the old one is only trusted. */
  | 'sign'
  /** Two thirds of the authority's life are over: make the next one, the old one goes on signing. */
  | 'introduce'
  /** The last old leaf has expired: tell all replicas to take the old authority out of the caBundle. */
  | 'retire'
  /** A retired authority is out of the caBundle: forget it. */
  | 'forget';

export type RotationStep =
  | { readonly kind: 'secret'; readonly step: SecretStep }
  /** Every webhook of the configuration is to get this caBundle. */
  | { readonly kind: 'publish'; readonly caBundle: string }
  /** A later version of this program wrote the Secret. */
  | { readonly kind: 'foreign-version' }
  /** Nothing to do before `wakeAt` (milliseconds since the epoch). */
  | { readonly kind: 'rest'; readonly wakeAt: number };

/**
 * The one step to take now. Everything follows from what is there: a process that died between two steps, and
 * replicas that interleave, go on from wherever the Secret and the configuration are.
 *
 * Two rules keep every handshake whole: an authority signs only after every API server had time to trust it, and is
 * taken out of the caBundle only after the Secret said so to all replicas, when its last leaf has expired.
 */
export function nextStep(view: RotationView): RotationStep {
  const { stored, live, now, policy } = view;
  const secret = (step: SecretStep): RotationStep => ({ kind: 'secret', step });
  if (stored.kind === 'foreign-version') return { kind: 'foreign-version' };
  if (stored.kind === 'absent') return secret('create');
  if (stored.kind === 'unusable') return secret('replace');
  const { authorities } = stored;
  const { signing, next, retired } = authorities;
  if (!canSign(signing, now)) return secret(next !== undefined && canSign(next, now) ? 'sign' : 'replace');
  if (stored.damaged) return secret('repair');
  if (strangers(authorities, live).length > 0) return secret('adopt');
  const caBundle = wantedBundle(authorities, view.inUse);
  if (live?.some((text) => text !== caBundle) === true) return { kind: 'publish', caBundle };
  if (live !== undefined && (unrecorded(signing, view) || unrecorded(next, view))) return secret('record');
  if (live !== undefined && next !== undefined && canSign(next, now) && now >= signsFrom(next, policy)) {
    return secret('sign');
  }
  const due = renewalOf(signing, policy);
  if (next === undefined && now >= due) return secret('introduce');
  if (retired.some((one) => one.removedAt === undefined && one.until <= now)) return secret('retire');
  if (retired.some((one) => forgettable(one, view))) return secret('forget');
  const times = [
    ...(next === undefined ? [due] : [signsFrom(next, policy)]),
    ...retired.map(({ until, removedAt }) =>
      removedAt === undefined ? until : removedAt + policy.propagationMs,
    ),
  ];
  // What is overdue and yet no step waits for something else than time.
  return { kind: 'rest', wakeAt: Math.min(...times.filter((time) => time > now)) };
}

/** Whether its certificate is valid now. */
export function canSign({ certPem }: ActiveAuthority, now: number): boolean {
  const certificate = parseCertificate(certPem);
  return certificate !== undefined && isCurrent(certificate, now);
}

/** From when on everybody trusts it; never while it was not read back. */
export function signsFrom({ publishedAt }: ActiveAuthority, policy: RotationPolicy): number {
  return publishedAt === undefined ? Number.POSITIVE_INFINITY : publishedAt + policy.propagationMs;
}

/** Certificates in the caBundle that the Secret does not know, as far as there is room for them. */
export function strangers(authorities: Authorities | undefined, live: LiveBundle | undefined): Certificate[] {
  const known = authorities === undefined ? [] : [...trusted(authorities), ...removed(authorities)];
  const room = maxRetired - (authorities?.retired.length ?? 0);
  return trustedByAny(live ?? [])
    .filter(({ fingerprint }) => !holds(known, fingerprint))
    .sort((a, b) => b.notAfter - a.notAfter)
    .slice(0, Math.max(0, room));
}

/** Whether it is in every webhook's caBundle, but the Secret does not say since when, or names a time to come. */
export function unrecorded(authority: ActiveAuthority | undefined, view: RotationView): boolean {
  if (authority === undefined) return false;
  const { publishedAt } = authority;
  // A clock that was ahead wrote it; waiting for it could take years.
  const wrong = publishedAt !== undefined && publishedAt > view.now + view.policy.skewMs;
  return (publishedAt === undefined || wrong) && isIn(authority.certPem, trustedByAll(view.live ?? []));
}

/** Whether it has been out of the caBundle for long enough. */
export function forgettable({ certPem, removedAt }: RetiredAuthority, view: RotationView): boolean {
  if (removedAt === undefined || isIn(certPem, trustedByAny(view.live ?? []))) return false;
  const { now, policy } = view;
  return now >= removedAt + policy.propagationMs || removedAt > now + policy.skewMs;
}

function isIn(certPem: string, certificates: readonly Certificate[]): boolean {
  const certificate = parseCertificate(certPem);
  return certificate !== undefined && holds(certificates, certificate.fingerprint);
}

function renewalOf({ certPem }: ActiveAuthority, policy: RotationPolicy): number {
  const certificate = parseCertificate(certPem);
  return certificate === undefined ? 0 : shareOfLife(certificate, policy.renewAfter);
}

/** What the Secret trusts, and the authority of our own leaf, should the Secret have been lost meanwhile. */
function wantedBundle(authorities: Authorities, inUse: string | undefined): string {
  const out = removed(authorities);
  const own = inUse === undefined ? undefined : parseCertificate(inUse);
  const extra = own === undefined || holds(out, own.fingerprint) ? [] : [own];
  return bundleText([...trusted(authorities), ...extra]);
}

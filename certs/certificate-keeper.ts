import { isCurrent, parseCertificate, shareOfLife } from './certificate.ts';
import { type Ca, type IssuedCertificate, issueServingCertificate } from './issue.ts';
import type { KeyMaterial } from './key-material.ts';
import { chainsTo, type LiveBundle } from './live-bundle.ts';
import { canSign } from './rotation.ts';
import type { RotationPolicy } from './rotation-policy.ts';

export interface CertificateKeeperOptions {
  readonly names: readonly string[];
  readonly policy: RotationPolicy;
  readonly material: KeyMaterial;
  /** A certificate was issued; it waits or serves. */
  readonly onIssued: (reason: IssueReason) => void;
  /** Puts a certificate to use. When it throws, the one in use stays, and a new one is issued next time. */
  readonly serve: (certificate: IssuedCertificate) => void;
}

export type IssueReason = 'first' | 'ca-changed' | 'not-valid-now' | 'due';

/** What the keeper acts upon. */
export interface KeeperView {
  readonly signing: Ca;
  readonly live: LiveBundle | undefined;
  /** Milliseconds for which the signing CA has been in every webhook's bundle; undefined while it is not. */
  readonly trustedForMs: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The serving certificate in use, in memory only, and the one that waits to take its place. */
export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  #inUse: IssuedCertificate | undefined;
  #waiting: IssuedCertificate | undefined;

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
  }

  get inUse(): IssuedCertificate | undefined {
    return this.#inUse;
  }

  /** Issues and swaps as needed. */
  async keep(view: KeeperView): Promise<void> {
    const { names, policy, material, onIssued, serve } = this.#options;
    const { signing, now } = view;
    if (!canSign(signing, now)) return;
    const reason = whyIssue(this.#waiting ?? this.#inUse, signing, policy, now);
    if (reason !== undefined) {
      this.#waiting = await issueServingCertificate({ ca: signing, names, policy, now }, material);
      onIssued(reason);
    }
    const waiting = this.#waiting;
    if (waiting === undefined || !mayServe(waiting, this.#inUse, view, policy)) return;
    this.#waiting = undefined;
    serve(waiting);
    this.#inUse = waiting;
  }

  /** Milliseconds until `keep` has something to do again, unless the Secret or the bundle changes before. */
  restMs({ trustedForMs, now }: KeeperView): number {
    const { policy } = this.#options;
    const certificate = parseCertificate(this.#inUse?.certPem ?? '');
    const renewal =
      certificate === undefined
        ? Number.POSITIVE_INFINITY
        : shareOfLife(certificate, policy.renewAfter) - now;
    return this.#waiting === undefined || trustedForMs === undefined
      ? renewal
      : policy.propagationMs - trustedForMs;
  }
}

/** Why a certificate must be issued now, or undefined while this one will do. */
export function whyIssue(
  issued: IssuedCertificate | undefined,
  signing: Ca,
  policy: RotationPolicy,
  now: number,
): IssueReason | undefined {
  const certificate = parseCertificate(issued?.certPem ?? '');
  if (issued === undefined || certificate === undefined) return 'first';
  if (issued.caPem !== signing.certPem) return 'ca-changed';
  if (!isCurrent(certificate, now)) return 'not-valid-now';
  return now >= shareOfLife(certificate, policy.renewAfter) ? 'due' : undefined;
}

/**
 * Whether an issued certificate takes the place of the one in use. One of another CA waits until that is in the CA
 * bundle and, while the one in use is good, until every API server had time to notice.
 */
export function mayServe(
  issued: IssuedCertificate,
  inUse: IssuedCertificate | undefined,
  view: KeeperView,
  policy: RotationPolicy,
): boolean {
  const { live = [], trustedForMs = 0, now } = view;
  if (inUse === undefined || inUse.caPem === issued.caPem) return true;
  if (!chainsTo(issued.certPem, live)) return false;
  const current = parseCertificate(inUse.certPem);
  const good = current !== undefined && isCurrent(current, now) && chainsTo(inUse.certPem, live);
  return !good || trustedForMs >= policy.propagationMs;
}

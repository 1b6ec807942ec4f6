import type { ParsedCas, SharedCas } from './ca-document.ts';
import { type Certificate, isCurrent, parseCertificate, shareOfLife } from './certificate.ts';
import type { Ca } from './issue.ts';
import { bundleText, type LiveBundle, wantedCertificates } from './live-bundle.ts';
import type { RotationPolicy } from './rotation-policy.ts';

/** The facts from which a step is decided. */
export interface RotationView {
  readonly stored: ParsedCas | { readonly kind: 'absent' };
  /** Undefined while there is no webhook configuration. */
  readonly live: LiveBundle | undefined;
  /** Milliseconds for which a CA (PEM) has been in every webhook's bundle; undefined while it is not. */
  readonly trustedForMs: (certPem: string) => number | undefined;
  /** The CA (PEM) of the serving certificate that this replica uses. */
  readonly inUse: string | undefined;
  readonly policy: RotationPolicy;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether the own clock and the API server's agree. */
  readonly clockAgrees: boolean;
}

/** Makes a fresh CA. */
type MakeCa = () => Promise<Ca>;

export type RotationStep =
  /**
   * Write the Secret. `create`: no CA in it can sign, make one that signs at once. `introduce`: two thirds of the signing
   * CA's life are over, make the next one; the old one goes on signing. `sign`: the next one signs from now on, and the
   * key of the old one is thrown away.
   */
  | {
      readonly kind: 'create' | 'introduce' | 'sign';
      readonly content: (make: MakeCa) => Promise<SharedCas>;
    }
  /** Give every webhook of the configuration this CA bundle. */
  | { readonly kind: 'publish'; readonly caBundle: string }
  /** Only a person can go on: the sentence says what to do. */
  | { readonly kind: 'blocked'; readonly why: string }
  /** Nothing to do for this many milliseconds. */
  | { readonly kind: 'rest'; readonly forMs: number };

/**
 * The one step to take now. Everything follows from the Secret and the configuration, so a process that died between
 * two steps, and replicas that interleave, go on from any state.
 *
 * Two rules keep every handshake valid. A CA signs only after every API server had time to trust it. The CA bundle is
 * what is known and what is live, minus what has expired: nothing that can still be in use is ever taken out.
 */
export function nextStep(view: RotationView): RotationStep {
  const { stored, live, now, policy, clockAgrees } = view;
  if (stored.kind === 'absent') return { kind: 'blocked', why: missingSecret };
  if (stored.kind === 'later-version') return { kind: 'blocked', why: laterVersion };
  if (stored.kind === 'unusable') return create;
  const { signing, next } = stored.cas;
  if (clockAgrees && !canSign(signing, now)) {
    return next !== undefined && canSign(next, now) ? sign(next) : create;
  }
  const wanted = wantedOf(stored.cas, view);
  const caBundle = bundleText(wanted);
  if (live?.some((text) => text !== caBundle) === true) return { kind: 'publish', caBundle };
  if (!clockAgrees) return { kind: 'rest', forMs: Number.POSITIVE_INFINITY };
  const due = renewalOf(signing, policy);
  if (next === undefined && now >= due) {
    return { kind: 'introduce', content: async (make) => ({ signing, next: await make() }) };
  }
  const trusted = next === undefined ? undefined : view.trustedForMs(next.certPem);
  if (next !== undefined && trusted !== undefined && trusted >= policy.propagationMs && canSign(next, now)) {
    return sign(next);
  }
  const waits = [
    ...(next === undefined ? [due - now] : []),
    ...(trusted === undefined ? [] : [policy.propagationMs - trusted]),
    ...wanted.map(({ notAfter }) => notAfter + policy.skewMs + 1 - now),
  ];
  // A negative wait is for something else than time, such as a configuration that does not exist.
  return { kind: 'rest', forMs: Math.min(...waits.filter((ms) => ms > 0)) };
}

/** Whether its certificate is valid now. */
export function canSign({ certPem }: Ca, now: number): boolean {
  const certificate = parseCertificate(certPem);
  return certificate !== undefined && isCurrent(certificate, now);
}

const missingSecret =
  'the CA Secret does not exist, and this program has no right to create it: apply the manifests again';
const laterVersion =
  'the CA Secret was written by a later version of this program: upgrade, or empty the Secret';

const create: RotationStep = {
  kind: 'create',
  content: async (make) => ({ signing: await make(), next: undefined }),
};

function sign(next: Ca): RotationStep {
  return { kind: 'sign', content: () => Promise.resolve({ signing: next, next: undefined }) };
}

function renewalOf({ certPem }: Ca, policy: RotationPolicy): number {
  const certificate = parseCertificate(certPem);
  return certificate === undefined ? 0 : shareOfLife(certificate, policy.renewAfter);
}

/** The CA in use counts as known, since the Secret and the bundle can have lost it. */
function wantedOf({ signing, next }: SharedCas, view: RotationView): Certificate[] {
  const { inUse, live = [], now, policy, clockAgrees } = view;
  const known = [signing.certPem, next?.certPem, inUse].flatMap((pem) => parseCertificate(pem ?? '') ?? []);
  return wantedCertificates(known, live, clockAgrees ? now - policy.skewMs : Number.NEGATIVE_INFINITY);
}

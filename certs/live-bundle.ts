import { type Certificate, issuedBy, parseCertificate, parseCertificates } from './certificate.ts';

/** The `caBundle` of every webhook of the configuration, as PEM text, as the API server has it. */
export type LiveBundle = readonly string[];

/** The bundle travels with every configuration: above this many certificates, those that expire first are left out. */
const maxCertificates = 16;

/** The certificates that every webhook trusts. */
export function trustedByAll(live: LiveBundle): Certificate[] {
  const [first = [], ...others] = live.map(parseCertificates);
  return first.filter(({ fingerprint }) => others.every((bundle) => holds(bundle, fingerprint)));
}

/** The certificates that at least one webhook trusts, once each. */
export function trustedByAny(live: LiveBundle): Certificate[] {
  return unique(live.flatMap(parseCertificates));
}

/** Whether every webhook's bundle holds the CA that signed this serving certificate. */
export function chainsTo(certPem: string, live: LiveBundle): boolean {
  const certificate = parseCertificate(certPem);
  return certificate !== undefined && trustedByAll(live).some((ca) => issuedBy(certificate, ca));
}

/**
 * The certificates that every webhook is to trust: the known ones and whatever is live, without what expired before
 * the given time (milliseconds since the epoch). A CA that signs no more stays until it has expired, and so have all
 * certificates that it signed by then.
 */
export function wantedCertificates(
  known: readonly Certificate[],
  live: LiveBundle,
  expiredBefore: number,
): Certificate[] {
  const others = trustedByAny(live)
    .filter(({ fingerprint }) => !holds(known, fingerprint))
    .sort((a, b) => b.notAfter - a.notAfter || (a.fingerprint < b.fingerprint ? -1 : 1));
  return unique([...known, ...others])
    .filter(({ notAfter }) => notAfter >= expiredBefore)
    .slice(0, maxCertificates);
}

/** The text of a bundle. Equal sets give equal texts, so that replicas do not undo each other's writes. */
export function bundleText(certificates: readonly Certificate[]): string {
  const pems = new Map(certificates.map(({ fingerprint, pem }) => [fingerprint, pem]));
  return [...pems.keys()]
    .sort()
    .map((fingerprint) => pems.get(fingerprint) ?? '')
    .join('');
}

function holds(certificates: readonly Certificate[], fingerprint: string): boolean {
  return certificates.some((one) => one.fingerprint === fingerprint);
}

function unique(certificates: readonly Certificate[]): Certificate[] {
  return [...new Map(certificates.map((one) => [one.fingerprint, one])).values()];
}

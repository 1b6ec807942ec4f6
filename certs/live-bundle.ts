import { type Certificate, issuedBy, parseCertificate, parseCertificates } from './certificate.ts';

/** The `caBundle` of every webhook of the configuration, as PEM text, as the API server has it. */
export type LiveBundle = readonly string[];

/** The certificates that every webhook trusts. */
export function trustedByAll(live: LiveBundle): Certificate[] {
  const [first = [], ...others] = live.map(parseCertificates);
  return first.filter(({ fingerprint }) => others.every((bundle) => holds(bundle, fingerprint)));
}

/** The certificates that at least one webhook trusts, once each. */
export function trustedByAny(live: LiveBundle): Certificate[] {
  const found = live.flatMap(parseCertificates).map((one) => [one.fingerprint, one] as const);
  return [...new Map(found).values()];
}

/** Whether every webhook's bundle holds the authority that signed this leaf. */
export function chainsTo(leafPem: string, live: LiveBundle): boolean {
  const leaf = parseCertificate(leafPem);
  return leaf !== undefined && trustedByAll(live).some((authority) => issuedBy(leaf, authority));
}

/** The text of a bundle. Equal sets give equal texts, so that replicas do not undo each other's writes. */
export function bundleText(certificates: readonly Certificate[]): string {
  const pems = new Map(certificates.map(({ fingerprint, pem }) => [fingerprint, pem]));
  return [...pems.keys()]
    .sort()
    .map((fingerprint) => pems.get(fingerprint) ?? '')
    .join('');
}

export function holds(certificates: readonly Certificate[], fingerprint: string): boolean {
  return certificates.some((one) => one.fingerprint === fingerprint);
}

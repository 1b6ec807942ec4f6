import { createPrivateKey, X509Certificate } from 'node:crypto';

/** An X.509 certificate that was parsed. */
export interface Certificate {
  /** One block, as OpenSSL writes it: equal certificates have equal text. */
  readonly pem: string;
  /** SHA-256 of the certificate: its identity. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly x509: X509Certificate;
}

/** Text beyond this is not parsed (1 MiB: what a Secret or a mounted folder can hold). */
const maxTextLength = 1024 * 1024;
/** Blocks beyond this many are not parsed: parsing costs time that a hostile text could take from us. */
const maxBlocks = 64;
const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Every certificate of a PEM text that can be parsed, once each, in the text's order. Never throws. */
export function parseCertificates(text: string): Certificate[] {
  if (text.length > maxTextLength) return [];
  const found = new Map<string, Certificate>();
  for (const pem of (text.match(block) ?? []).slice(0, maxBlocks)) {
    const certificate = parseOne(pem);
    if (certificate !== undefined) found.set(certificate.fingerprint, certificate);
  }
  return [...found.values()];
}

/** The first certificate of a PEM text, or undefined. */
export function parseCertificate(text: string): Certificate | undefined {
  return parseCertificates(text)[0];
}

/** Whether the certificate's time is now: from notBefore on, and before notAfter. */
export function isCurrent(certificate: Certificate, now: number): boolean {
  return certificate.notBefore <= now && now < certificate.notAfter;
}

/** When the given share of the certificate's life is over, in milliseconds since the epoch. */
export function shareOfLife({ notBefore, notAfter }: Certificate, share: number): number {
  return notBefore + (notAfter - notBefore) * share;
}

/** Whether `issuer` signed `certificate`: by name, key identifiers and signature. Times are not looked at. */
export function issuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return certificate.x509.checkIssued(issuer.x509) && certificate.x509.verify(issuer.x509.publicKey);
}

/** Whether this private key (PEM) belongs to the certificate. Never throws. */
export function keyFits(certificate: Certificate, keyPem: string): boolean {
  try {
    return certificate.x509.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}

function parseOne(pem: string): Certificate | undefined {
  try {
    const x509 = new X509Certificate(pem);
    // Decoded when it is asked for, and throws where it is damaged: here, so that nobody else meets that.
    void x509.publicKey;
    return {
      pem: x509.toString(),
      fingerprint: x509.fingerprint256,
      notBefore: Date.parse(x509.validFrom),
      notAfter: Date.parse(x509.validTo),
      x509,
    };
  } catch {
    return undefined;
  }
}

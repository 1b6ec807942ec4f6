import { createPublicKey, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import type { KeyMaterial } from './key-material.ts';

/** What goes into a certificate. Times are milliseconds since the epoch; X.509 keeps whole seconds. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly subjectKeyPem: string;
  /** Absent: self-signed. */
  readonly issuer?: { readonly certPem: string; readonly keyPem: string } | undefined;
  /** In node-forge's form; key identifiers are added here. */
  readonly extensions: readonly object[];
}

const serialBytes = 16;

/**
 * Signs a certificate and proves it with OpenSSL before anybody uses it. Throws if the proof fails.
 *
 * Subject and authority key identifiers are always there: during a rotation two CAs are trusted at once, and OpenSSL
 * distinguishes them by nothing else once names are equal.
 */
export function signCertificate(request: CertificateRequest, material: KeyMaterial): string {
  const { issuer } = request;
  const key = forge.pki.privateKeyFromPem(request.subjectKeyPem);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  certificate.serialNumber = serialNumber(material);
  certificate.validity.notBefore = new Date(request.notBefore);
  certificate.validity.notAfter = new Date(request.notAfter);
  const subject = [
    { name: 'organizationName', value: 'context-syncer' },
    { name: 'commonName', value: request.commonName },
  ];
  certificate.setSubject(subject);
  const parent = issuer === undefined ? certificate : forge.pki.certificateFromPem(issuer.certPem);
  certificate.setIssuer(parent.subject.attributes);
  certificate.setExtensions([
    ...request.extensions,
    { name: 'subjectKeyIdentifier' },
    // `true` would stand for the subject's own key, not the issuer's.
    { name: 'authorityKeyIdentifier', keyIdentifier: parent.generateSubjectKeyIdentifier().getBytes() },
  ]);
  const signer = issuer === undefined ? key : forge.pki.privateKeyFromPem(issuer.keyPem);
  // Without a digest node-forge signs with SHA-1, which no TLS client accepts any more.
  certificate.sign(signer, forge.md.sha256.create());
  // As OpenSSL writes it: node-forge ends lines with CR LF.
  const pem = forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n');
  prove(pem, request.subjectKeyPem, issuer?.certPem ?? pem);
  return pem;
}

/** Hexadecimal, always positive in DER and always of full length: the two highest bits are 01. */
function serialNumber(material: KeyMaterial): string {
  const bytes = Uint8Array.from(material.random(serialBytes));
  // Go 1.23 and later refuse a negative serial: half the API servers' handshakes would fail at random.
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function prove(pem: string, keyPem: string, issuerPem: string): void {
  const certificate = new X509Certificate(pem);
  const issuer = new X509Certificate(issuerPem);
  const own = createPublicKey(keyPem);
  if (
    !certificate.publicKey.equals(own) ||
    !certificate.checkIssued(issuer) ||
    !certificate.verify(issuer.publicKey) ||
    certificate.serialNumber.startsWith('-')
  ) {
    throw new Error('a certificate that was just signed does not verify: this is a bug, report it');
  }
}

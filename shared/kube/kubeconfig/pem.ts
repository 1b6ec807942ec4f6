import { createPrivateKey, X509Certificate } from 'node:crypto';

/** The text that base64 encodes, or undefined where it is none. Node's own decoder skips what it does not know. */
export function decodeBase64(data: string): string | undefined {
  const compact = data.replace(/\s/g, '');
  return /^[A-Za-z0-9+/]+={0,2}$/.test(compact) && compact.length % 4 === 0
    ? Buffer.from(compact, 'base64').toString('utf8')
    : undefined;
}

/** What is wrong with PEM that should hold one certificate or more; undefined when it is sound. */
export function certificateProblem(pem: string): string | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g);
  if (blocks === null) {
    return 'holds no PEM certificate';
  }
  const bad = blocks.findIndex((block) => parseCertificate(block) === undefined);
  return bad === -1 ? undefined : `holds a certificate that cannot be parsed (number ${bad + 1})`;
}

/** What is wrong with a private key in PEM, also as a partner of this certificate, if that one is sound. */
export function keyProblem(pem: string, certificatePem: string | undefined): string | undefined {
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(pem);
  } catch {
    return /ENCRYPTED/.test(pem)
      ? 'is encrypted: store it without a passphrase'
      : 'holds no PEM private key that can be parsed';
  }
  const certificate = certificatePem === undefined ? undefined : parseCertificate(certificatePem);
  return certificate === undefined || certificate.checkPrivateKey(key)
    ? undefined
    : 'does not belong to the client certificate';
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem);
    // Decoded when it is asked for, and throws where it is damaged.
    void certificate.publicKey;
    return certificate;
  } catch {
    return undefined;
  }
}

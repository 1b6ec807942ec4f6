import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

/** A certificate and its private key, both PEM. */
export interface KeyAndCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

const generate = promisify(generateKeyPair);
const day = 24 * 3600 * 1000;

/** A fresh RSA key, PKCS#1 PEM. Made by OpenSSL: node-forge needs seconds for it in JavaScript. */
export async function privateKeyPem(): Promise<string> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs1', format: 'pem' });
}

/**
 * The certificate authority of one control plane: signs its serving certificate and its users' client
 * certificates. Each control plane has its own, so that one's credentials are worth nothing at another.
 */
export class CertificateAuthority {
  readonly certPem: string;
  readonly #name: string;
  readonly #key: forge.pki.rsa.PrivateKey;

  private constructor(name: string, certPem: string, key: forge.pki.rsa.PrivateKey) {
    this.#name = name;
    this.certPem = certPem;
    this.#key = key;
  }

  static async create(name: string): Promise<CertificateAuthority> {
    const key = forge.pki.privateKeyFromPem(await privateKeyPem());
    const certificate = unsigned(key, [{ name: 'commonName', value: name }], 365);
    certificate.setIssuer([{ name: 'commonName', value: name }]);
    certificate.setExtensions([
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      { name: 'subjectKeyIdentifier' },
    ]);
    certificate.sign(key, forge.md.sha256.create());
    return new CertificateAuthority(name, forge.pki.certificateToPem(certificate), key);
  }

  /** A serving certificate for DNS names and IP addresses. */
  async serving(names: { dns: readonly string[]; ip: readonly string[] }): Promise<KeyAndCertificate> {
    return await this.#issue(
      [{ name: 'commonName', value: names.dns[0] ?? 'server' }],
      [
        { name: 'extKeyUsage', serverAuth: true },
        {
          name: 'subjectAltName',
          // The numbers are those of GeneralName in RFC 5280: 2 is dNSName, 7 is iPAddress.
          altNames: [
            ...names.dns.map((value) => ({ type: 2, value })),
            ...names.ip.map((ip) => ({ type: 7, ip })),
          ],
        },
      ],
    );
  }

  /** A client certificate: Kubernetes reads the user from the common name, the groups from the organisations. */
  async client(user: string, groups: readonly string[]): Promise<KeyAndCertificate> {
    return await this.#issue(
      [{ name: 'commonName', value: user }, ...groups.map((value) => ({ name: 'organizationName', value }))],
      [{ name: 'extKeyUsage', clientAuth: true }],
    );
  }

  async #issue(
    subject: forge.pki.CertificateField[],
    extensions: readonly object[],
  ): Promise<KeyAndCertificate> {
    const keyPem = await privateKeyPem();
    const certificate = unsigned(forge.pki.privateKeyFromPem(keyPem), subject, 30);
    certificate.setIssuer([{ name: 'commonName', value: this.#name }]);
    certificate.setExtensions([
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      ...extensions,
    ]);
    certificate.sign(this.#key, forge.md.sha256.create());
    return { certPem: forge.pki.certificateToPem(certificate), keyPem };
  }
}

function unsigned(
  key: forge.pki.rsa.PrivateKey,
  subject: forge.pki.CertificateField[],
  days: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  // A leading 01 keeps the number positive in DER.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  // A day back: the machine's clock may be behind by the time the certificate is used.
  certificate.validity.notBefore = new Date(Date.now() - day);
  certificate.validity.notAfter = new Date(Date.now() + days * day);
  certificate.setSubject(subject);
  return certificate;
}

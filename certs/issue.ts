import { isIP } from 'node:net';
import { parseCertificate } from './certificate.ts';
import type { KeyMaterial } from './key-material.ts';
import type { RotationPolicy } from './rotation-policy.ts';
import { signCertificate } from './signing.ts';

/** A CA that can sign: its certificate and private key, PEM. */
export interface Ca {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A serving certificate, its key, and the CA that signed it, all PEM. */
export interface IssuedCertificate {
  readonly certPem: string;
  readonly keyPem: string;
  readonly caPem: string;
  /** The DNS names and IP addresses that it was issued for, in the order given. */
  readonly names: readonly string[];
}

/**
 * Makes a CA that is valid from an hour before `now` for `policy.caLifeMs`. Its name is unique: two trusted CAs of one
 * name break OpenSSL clients.
 */
export async function makeCa(policy: RotationPolicy, now: number, material: KeyMaterial): Promise<Ca> {
  const keyPem = await material.rsaKey();
  const unique = Buffer.from(material.random(8)).toString('hex');
  const certPem = signCertificate(
    {
      commonName: `context-syncer-webhook-ca-${unique}`,
      notBefore: now - policy.backdateMs,
      notAfter: now + policy.caLifeMs,
      subjectKeyPem: keyPem,
      extensions: [
        // It signs serving certificates and no further CAs.
        { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    },
    material,
  );
  return { certPem, keyPem };
}

/**
 * Issues a serving certificate for DNS names and IP addresses, valid from an hour before `now` (milliseconds since the
 * epoch) for `policy.servingLifeMs`, but never longer than its CA. Throws RangeError when no name is given or a name
 * is neither a DNS name nor an IP address.
 */
export async function issueServingCertificate(
  request: {
    readonly ca: Ca;
    readonly names: readonly string[];
    readonly policy: RotationPolicy;
    readonly now: number;
  },
  material: KeyMaterial,
): Promise<IssuedCertificate> {
  const { ca, names, policy, now } = request;
  const altNames = alternativeNames(names);
  const keyPem = await material.rsaKey();
  const end = parseCertificate(ca.certPem)?.notAfter ?? now;
  const certPem = signCertificate(
    {
      // Clients look at the alternative names only; a DNS name can be longer than the 64 characters allowed here.
      commonName: 'context-syncer-webhook',
      notBefore: now - policy.backdateMs,
      notAfter: Math.min(now + policy.servingLifeMs, end),
      subjectKeyPem: keyPem,
      issuer: ca,
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true },
        { name: 'subjectAltName', altNames },
      ],
    },
    material,
  );
  return { certPem, keyPem, caPem: ca.certPem, names };
}

const dnsName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/i;

/** The numbers are those of GeneralName in RFC 5280: 2 is dNSName, 7 is iPAddress. */
function alternativeNames(names: readonly string[]): object[] {
  if (names.length === 0) throw new RangeError('a serving certificate needs at least one name');
  return names.map((name) => {
    if (isIP(name) !== 0) return { type: 7, ip: name };
    if (dnsName.test(name)) return { type: 2, value: name };
    throw new RangeError(`"${name}" is neither a DNS name nor an IP address`);
  });
}

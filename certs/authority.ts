import { isIP } from 'node:net';
import { parseCertificate } from './certificate.ts';
import type { KeyMaterial } from './key-material.ts';
import type { RotationPolicy } from './rotation-policy.ts';
import { signCertificate } from './signing.ts';

/** A certificate authority that can sign: its certificate and private key, PEM. */
export interface Authority {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A serving certificate, its key, and the authority that signed it, all PEM. */
export interface Leaf {
  readonly certPem: string;
  readonly keyPem: string;
  readonly issuerPem: string;
  /** What it was issued for, in the order given. */
  readonly names: readonly string[];
}

/**
 * Makes a certificate authority that is valid from an hour ago for `policy.authorityLifeMs`. Its name is unique: two
 * authorities of one name, both trusted, break OpenSSL's clients.
 */
export async function makeAuthority(
  policy: RotationPolicy,
  now: number,
  material: KeyMaterial,
): Promise<Authority> {
  const keyPem = await material.rsaKey();
  const unique = Buffer.from(material.random(8)).toString('hex');
  const certPem = signCertificate(
    {
      commonName: `context-syncer-webhook-ca-${unique}`,
      notBefore: now - policy.backdateMs,
      notAfter: now + policy.authorityLifeMs,
      subjectKeyPem: keyPem,
      extensions: [
        // It signs leaves and no further authorities.
        { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    },
    material,
  );
  return { certPem, keyPem };
}

/**
 * Issues a serving certificate for DNS names and IP addresses, valid from an hour before `now` for
 * `policy.leafLifeMs`, but never longer than its authority. Throws RangeError when no name is given or one cannot
 * stand in a certificate.
 *
 * @param now milliseconds since the epoch, taken before the authority was read from the API: whoever retires that
 * authority reckons with it
 */
export async function issueLeaf(
  request: {
    readonly authority: Authority;
    readonly names: readonly string[];
    readonly policy: RotationPolicy;
    readonly now: number;
  },
  material: KeyMaterial,
): Promise<Leaf> {
  const { authority, names, policy, now } = request;
  const altNames = alternativeNames(names);
  const keyPem = await material.rsaKey();
  const end = parseCertificate(authority.certPem)?.notAfter ?? now;
  const certPem = signCertificate(
    {
      // Clients look at the alternative names only; a DNS name can be longer than the 64 characters allowed here.
      commonName: 'context-syncer-webhook',
      notBefore: now - policy.backdateMs,
      notAfter: Math.min(now + policy.leafLifeMs, end),
      subjectKeyPem: keyPem,
      issuer: authority,
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true },
        { name: 'subjectAltName', altNames },
      ],
    },
    material,
  );
  return { certPem, keyPem, issuerPem: authority.certPem, names };
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

import * as fc from 'fast-check';
import forge from 'node-forge';
import { describe, expect, it } from 'vitest';
import { issuedBy, parseCertificate } from '../../../certs/certificate.ts';
import { issueServingCertificate, makeCa } from '../../../certs/issue.ts';
import type { KeyMaterial } from '../../../certs/key-material.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import { quickKeys } from './quick-keys.ts';

const material = quickKeys();
const now = Date.UTC(2026, 10, 23, 12);
const hour = 3_600_000;
const day = 24 * hour;

/** As `parseCertificate`, for one that must be there. */
function certificate(pem: string): NonNullable<ReturnType<typeof parseCertificate>> {
  const parsed = parseCertificate(pem);
  if (parsed === undefined) throw new Error('not a certificate');
  return parsed;
}

function extension(pem: string, name: string): Record<string, unknown> {
  const found: unknown = forge.pki.certificateFromPem(pem).getExtension(name);
  if (typeof found !== 'object' || found === null) throw new Error(`no ${name}`);
  return { ...found };
}

const servingFor = async (names: readonly string[], at = now) => {
  const ca = await makeCa(policy, now, material);
  return { ca, serving: await issueServingCertificate({ ca, names, policy, now: at }, material) };
};

describe('makeCa', () => {
  it('makes a self-signed CA for a year, from an hour ago', async () => {
    const ca = certificate((await makeCa(policy, now, material)).certPem);
    expect(ca.x509.ca).toBe(true);
    expect(issuedBy(ca, ca)).toBe(true);
    expect([ca.notBefore, ca.notAfter]).toEqual([now - hour, now + 365 * day]);
    expect(extension(ca.pem, 'basicConstraints')).toMatchObject({
      cA: true,
      pathLenConstraint: 0,
      critical: true,
    });
    expect(extension(ca.pem, 'keyUsage')).toMatchObject({ keyCertSign: true, digitalSignature: false });
  });

  it('signs with SHA-256', async () => {
    const { ca, serving } = await servingFor(['a.example']);
    for (const pem of [ca.certPem, serving.certPem]) {
      const { signatureOid } = forge.pki.certificateFromPem(pem);
      expect(signatureOid).toBe(forge.pki.oids['sha256WithRSAEncryption']);
    }
  });

  it('gives every CA a name of its own', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => makeCa(policy, now, material)));
    expect(new Set(made.map(({ certPem }) => certificate(certPem).x509.subject)).size).toBe(20);
  });
});

describe('serial numbers', () => {
  it('are positive, never zero and of full length, whatever the random bytes', async () => {
    const byte = fc.oneof(fc.constantFrom(0x00, 0x7f, 0x80, 0xff), fc.nat(255));
    const bytes = fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .chain((rest) => byte.map((first) => Uint8Array.of(first, ...rest.slice(1))));
    await fc.assert(
      fc.asyncProperty(bytes, async (given) => {
        const chosen: KeyMaterial = { ...material, random: (count) => given.slice(0, count) };
        const { certPem } = await makeCa(policy, now, chosen);
        const { serialNumber } = certificate(certPem).x509;
        expect(serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
      }),
      { numRuns: 60 },
    );
  });
});

describe('issueServingCertificate', () => {
  it('serves DNS names and addresses for 30 days, from an hour ago', async () => {
    const names = ['hook.ns.svc', `${'a'.repeat(63)}.${'b'.repeat(63)}.example`, '10.0.0.1', 'fd00::1'];
    const { ca, serving } = await servingFor(names);
    const { x509, notBefore, notAfter } = certificate(serving.certPem);
    for (const name of names.slice(0, 2)) expect(x509.checkHost(name)).toBe(name);
    for (const address of names.slice(2)) expect(x509.checkIP(address)).toBe(address);
    expect(x509.checkHost('other.ns.svc')).toBeUndefined();
    expect([notBefore, notAfter]).toEqual([now - hour, now + 30 * day]);
    expect(x509.ca).toBe(false);
    // id-kp-serverAuth of RFC 5280, and nothing else.
    expect(x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(issuedBy(certificate(serving.certPem), certificate(ca.certPem))).toBe(true);
  });

  it('names the key of its CA, not its own', async () => {
    const { ca, serving } = await servingFor(['a.example']);
    const { subjectKeyIdentifier } = extension(ca.certPem, 'subjectKeyIdentifier');
    expect(String(subjectKeyIdentifier)).toMatch(/^[0-9a-f]{40}$/);
    const { value } = extension(serving.certPem, 'authorityKeyIdentifier');
    const identifier = Buffer.from(String(value), 'latin1').toString('hex');
    // SEQUENCE of 22 bytes with the context-specific member 0 of 20 bytes.
    expect(identifier).toBe(`30168014${String(subjectKeyIdentifier)}`);
    expect(extension(serving.certPem, 'subjectKeyIdentifier')['subjectKeyIdentifier']).not.toBe(
      subjectKeyIdentifier,
    );
  });

  it('does not outlive its CA', async () => {
    const late = now + 360 * day;
    const { ca, serving } = await servingFor(['a.example'], late);
    expect(certificate(serving.certPem).notAfter).toBe(certificate(ca.certPem).notAfter);
  });

  it.each([[[]], [['a_b.example']], [['*.example']], [['']], [['a.example', 'b..example']]])(
    'refuses %j',
    async (names: string[]) => {
      await expect(servingFor(names)).rejects.toThrow(RangeError);
    },
  );
});

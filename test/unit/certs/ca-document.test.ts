import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { formatCas, parseCas, type SharedCas } from '../../../certs/ca-document.ts';
import { keyFits, parseCertificate } from '../../../certs/certificate.ts';
import { type Ca, issueServingCertificate, makeCa } from '../../../certs/issue.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import { withDamagedKey } from './damaged-key.ts';
import { quickKeys } from './quick-keys.ts';

const material = quickKeys();
const now = Date.UTC(2026, 10, 23);
let whole: SharedCas & { readonly next: Ca };
let other: Ca;

beforeAll(async () => {
  const [signing, next, third] = await Promise.all([1, 2, 3].map(() => makeCa(policy, now, material)));
  if (signing === undefined || next === undefined || third === undefined) {
    throw new Error('three were asked for');
  }
  other = third;
  whole = { signing, next };
});

/** The document with some members replaced. */
function changed(members: object): string {
  const document: unknown = JSON.parse(formatCas(whole));
  return JSON.stringify(Object.assign({}, document, members));
}

describe('the Secret', () => {
  it('gives back what was put in', () => {
    expect(parseCas(formatCas(whole))).toEqual({ kind: 'usable', cas: whole });
    const alone = { signing: whole.signing, next: undefined };
    expect(parseCas(formatCas(alone))).toEqual({ kind: 'usable', cas: alone });
  });

  it('ignores members that it does not know, such as those of 0.1', () => {
    const text = changed({ retired: [{ certificate: 'x', until: '2026-01-01T00:00:00Z' }] });
    expect(parseCas(text)).toEqual({ kind: 'usable', cas: whole });
  });

  it('is left alone when a later version wrote it', () => {
    expect(parseCas('{"version":2,"anything":[]}')).toEqual({ kind: 'later-version' });
  });

  it.each(['', 'null', '[]', '{}', '{"version":1}', 'garbage'])('is not usable when it says %j', (text) => {
    expect(parseCas(text)).toMatchObject({ kind: 'unusable' });
  });

  it('is not usable when certificate and key are of two CAs', () => {
    const text = formatCas({ ...whole, signing: { ...whole.signing, keyPem: other.keyPem } });
    expect(parseCas(text)).toMatchObject({ kind: 'unusable' });
  });

  it('is not usable when the public key in a certificate is damaged', () => {
    const { certPem, keyPem } = whole.signing;
    const signing = { keyPem, certPem: withDamagedKey(certPem) };
    expect(parseCertificate(signing.certPem)).toBeUndefined();
    expect(parseCas(formatCas({ ...whole, signing }))).toMatchObject({ kind: 'unusable' });
  });

  it('is not usable when what should sign is no CA', async () => {
    const serving = await issueServingCertificate({ ca: other, names: ['a'], policy, now }, material);
    const { certPem, keyPem } = serving;
    expect(parseCas(formatCas({ ...whole, signing: { certPem, keyPem } }))).toMatchObject({
      kind: 'unusable',
    });
  });

  it('keeps the signing CA when the next one is damaged', () => {
    expect(parseCas(changed({ next: { certificate: 'x' } }))).toEqual({
      kind: 'usable',
      cas: { signing: whole.signing, next: undefined },
    });
  });

  it('never throws, and never gives a pair that does not fit, whatever is cut out or put in', () => {
    const text = formatCas(whole);
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(200), fc.string(), (at, length, put) => {
        const parsed = parseCas(text.slice(0, at) + put + text.slice(at + length));
        if (parsed.kind !== 'usable') return;
        const { signing, next = signing } = parsed.cas;
        for (const { certPem, keyPem } of [signing, next]) {
          const certificate = parseCertificate(certPem);
          expect(certificate !== undefined && keyFits(certificate, keyPem)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

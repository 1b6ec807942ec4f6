import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Authorities } from '../../../certs/authorities.ts';
import { formatAuthorities, parseAuthorities } from '../../../certs/authorities-document.ts';
import { type Authority, issueLeaf, makeAuthority } from '../../../certs/authority.ts';
import { keyFits, parseCertificate } from '../../../certs/certificate.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import { quickKeys } from './quick-keys.ts';

const material = quickKeys();
const now = Date.UTC(2026, 10, 23);
let whole: Authorities;
let other: Authority;

beforeAll(async () => {
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => makeAuthority(policy, now, material)));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three were asked for');
  other = c;
  whole = {
    signing: { ...a, publishedAt: now },
    next: { ...b, publishedAt: undefined },
    retired: [
      { certPem: c.certPem, until: now + 1, removedAt: undefined },
      { certPem: b.certPem, until: now + 2, removedAt: now + 3 },
    ],
  };
});

/** The document with some members replaced. */
function changed(members: object): string {
  const document: unknown = JSON.parse(formatAuthorities(whole));
  return JSON.stringify(Object.assign({}, document, members));
}

describe('the Secret', () => {
  it('gives back what was put in', () => {
    expect(parseAuthorities(formatAuthorities(whole))).toEqual({
      kind: 'usable',
      authorities: whole,
      damaged: false,
    });
  });

  it('ignores members that it does not know', () => {
    const text = changed({ later: 1 });
    expect(parseAuthorities(text)).toMatchObject({ kind: 'usable', damaged: false });
  });

  it('is left alone when a later version wrote it', () => {
    expect(parseAuthorities('{"version":2,"anything":[]}')).toEqual({ kind: 'foreign-version' });
  });

  it.each(['', 'null', '[]', '{}', '{"version":1}', 'garbage'])('is not usable when it says %j', (text) => {
    expect(parseAuthorities(text)).toMatchObject({ kind: 'unusable' });
  });

  it('is not usable when certificate and key are of two authorities', () => {
    const text = formatAuthorities({ ...whole, signing: { ...whole.signing, keyPem: other.keyPem } });
    expect(parseAuthorities(text)).toMatchObject({ kind: 'unusable' });
  });

  it('is not usable when what should sign is a leaf', async () => {
    const leaf = await issueLeaf({ authority: other, names: ['a'], policy, now }, material);
    const signing = { certPem: leaf.certPem, keyPem: leaf.keyPem, publishedAt: undefined };
    expect(parseAuthorities(formatAuthorities({ ...whole, signing }))).toMatchObject({ kind: 'unusable' });
  });

  it('keeps what is whole when another part is damaged', () => {
    const text = changed({ next: { certificate: 'x' } });
    expect(parseAuthorities(text)).toEqual({
      kind: 'usable',
      authorities: { ...whole, next: undefined },
      damaged: true,
    });
    const cut = changed({ retired: [{ certificate: 'x' }] });
    expect(parseAuthorities(cut)).toMatchObject({ damaged: true, authorities: { retired: [] } });
  });

  it('never throws, and never gives a pair that does not fit, whatever is cut out or put in', () => {
    const text = formatAuthorities(whole);
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(200), fc.string(), (at, length, put) => {
        const parsed = parseAuthorities(text.slice(0, at) + put + text.slice(at + length));
        if (parsed.kind !== 'usable') return;
        const { signing, next = signing } = parsed.authorities;
        for (const { certPem, keyPem } of [signing, next]) {
          const certificate = parseCertificate(certPem);
          expect(certificate !== undefined && keyFits(certificate, keyPem)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

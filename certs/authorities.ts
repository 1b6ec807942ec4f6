import type { Authority } from './authority.ts';
import { type Certificate, parseCertificate } from './certificate.ts';

/** An authority with its key. */
export interface ActiveAuthority extends Authority {
  /** Since when it is known to be in the live caBundle (milliseconds since the epoch); undefined: not read back yet. */
  readonly publishedAt: number | undefined;
}

/** An authority that signs no more. Its key is gone; leaves that it signed can be in use. */
export interface RetiredAuthority {
  readonly certPem: string;
  /** When the last leaf that it can have signed expires, milliseconds since the epoch. */
  readonly until: number;
  /** Since when replicas take it out of the caBundle; undefined: it is to be in there. */
  readonly removedAt: number | undefined;
}

/** All that the replicas know in common: the content of the CA Secret. */
export interface Authorities {
  /** Signs the leaves. */
  readonly signing: ActiveAuthority;
  /** Will sign, once every API server trusts it. */
  readonly next: ActiveAuthority | undefined;
  readonly retired: readonly RetiredAuthority[];
}

/** Above this many, those whose leaves expire first make room: the caBundle travels with every configuration. */
export const maxRetired = 16;

/** The same with one more retired authority. */
export function retire(
  retired: readonly RetiredAuthority[],
  ...more: readonly RetiredAuthority[]
): readonly RetiredAuthority[] {
  return [...retired, ...more].sort((a, b) => b.until - a.until).slice(0, maxRetired);
}

/** The certificates that must be in the caBundle. */
export function trusted({ signing, next, retired }: Authorities): Certificate[] {
  const standing = retired.filter(({ removedAt }) => removedAt === undefined);
  return parsed([signing, ...(next === undefined ? [] : [next]), ...standing]);
}

/** The certificates that must not be in it any more. */
export function removed({ retired }: Authorities): Certificate[] {
  return parsed(retired.filter(({ removedAt }) => removedAt !== undefined));
}

function parsed(list: readonly { readonly certPem: string }[]): Certificate[] {
  return list.flatMap(({ certPem }) => parseCertificate(certPem) ?? []);
}

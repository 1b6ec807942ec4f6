import { Ajv } from 'ajv';
import type { ActiveAuthority, Authorities, RetiredAuthority } from './authorities.ts';
import { issuedBy, keyFits, parseCertificate } from './certificate.ts';

/**
 * The one entry of the CA Secret. It holds JSON, and all in one entry, because its parts make sense together only:
 *
 *     { "version": 1,
 *       "signing": { "certificate": PEM, "privateKey": PEM, "publishedAt": RFC 3339 },
 *       "next":    { the same; only while a new CA is being introduced },
 *       "retired": [ { "certificate": PEM, "until": RFC 3339, "removedAt": RFC 3339 } ] }
 *
 * `publishedAt` is absent until the CA was read back from the webhook configuration, `removedAt` until it is taken
 * out of there. Unknown members are ignored.
 */
export const authoritiesEntry = 'authorities.json';

/** What a text turned out to be. */
export type ParsedAuthorities =
  /** `damaged`: a part other than the signing authority was dropped. */
  | { readonly kind: 'usable'; readonly authorities: Authorities; readonly damaged: boolean }
  /** Nothing in it can sign: constant words say why. */
  | { readonly kind: 'unusable'; readonly why: string }
  /** Written by a later version of this program: hands off. */
  | { readonly kind: 'foreign-version' };

interface ActiveDocument {
  readonly certificate: string;
  readonly privateKey: string;
  readonly publishedAt?: string;
}

interface RetiredDocument {
  readonly certificate: string;
  readonly until: string;
  readonly removedAt?: string;
}

interface AuthoritiesDocument {
  readonly version: 1;
  readonly signing: unknown;
  readonly next?: unknown;
  readonly retired: readonly unknown[];
}

const time = { type: 'string', pattern: String.raw`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$` };
const pem = { type: 'string', minLength: 1, maxLength: 64 * 1024 };
const ajv = new Ajv({ strict: true });
const isVersioned = ajv.compile<{ readonly version: number }>({
  type: 'object',
  required: ['version'],
  properties: { version: { type: 'integer', minimum: 1 } },
});
const isDocument = ajv.compile<AuthoritiesDocument>({
  type: 'object',
  required: ['version', 'signing', 'retired'],
  properties: { version: { const: 1 }, signing: {}, next: {}, retired: { type: 'array', maxItems: 64 } },
});
const isActive = ajv.compile<ActiveDocument>({
  type: 'object',
  required: ['certificate', 'privateKey'],
  properties: { certificate: pem, privateKey: pem, publishedAt: time },
});
const isRetired = ajv.compile<RetiredDocument>({
  type: 'object',
  required: ['certificate', 'until'],
  properties: { certificate: pem, until: time, removedAt: time },
});

/** The entry's text. */
export function formatAuthorities({ signing, next, retired }: Authorities): string {
  return JSON.stringify(
    {
      version: 1,
      signing: formatActive(signing),
      ...(next === undefined ? {} : { next: formatActive(next) }),
      retired: retired.map(({ certPem, until, removedAt }) => ({
        certificate: certPem,
        until: rfc3339(until),
        ...(removedAt === undefined ? {} : { removedAt: rfc3339(removedAt) }),
      })),
    },
    undefined,
    2,
  );
}

/** Reads the entry's text, trusting none of it. Never throws. */
export function parseAuthorities(text: string): ParsedAuthorities {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { kind: 'unusable', why: 'not JSON' };
  }
  if (isVersioned(document) && document.version > 1) return { kind: 'foreign-version' };
  if (!isDocument(document)) return { kind: 'unusable', why: 'not the documented layout' };
  const signing = parseActive(document.signing);
  if (signing === undefined) return { kind: 'unusable', why: 'certificate and key of the CA do not fit' };
  const next = document.next === undefined ? undefined : parseActive(document.next);
  const retired = document.retired.flatMap((one) => parseRetired(one) ?? []);
  const damaged =
    retired.length !== document.retired.length || (document.next !== undefined && next === undefined);
  return { kind: 'usable', authorities: { signing, next, retired }, damaged };
}

function formatActive({ certPem, keyPem, publishedAt }: ActiveAuthority): ActiveDocument {
  return {
    certificate: certPem,
    privateKey: keyPem,
    ...(publishedAt === undefined ? {} : { publishedAt: rfc3339(publishedAt) }),
  };
}

/** An authority that really can sign: a self-signed RSA CA certificate, with its own key. */
function parseActive(value: unknown): ActiveAuthority | undefined {
  if (!isActive(value)) return undefined;
  const certificate = parseCertificate(value.certificate);
  if (
    certificate === undefined ||
    !certificate.x509.ca ||
    certificate.x509.publicKey.asymmetricKeyType !== 'rsa' ||
    !keyFits(certificate, value.privateKey) ||
    !issuedBy(certificate, certificate)
  ) {
    return undefined;
  }
  return {
    certPem: certificate.pem,
    keyPem: value.privateKey,
    publishedAt: value.publishedAt === undefined ? undefined : milliseconds(value.publishedAt),
  };
}

function parseRetired(value: unknown): RetiredAuthority | undefined {
  if (!isRetired(value)) return undefined;
  const certificate = parseCertificate(value.certificate);
  const until = milliseconds(value.until);
  if (certificate === undefined || until === undefined) return undefined;
  const removedAt = value.removedAt === undefined ? undefined : milliseconds(value.removedAt);
  return { certPem: certificate.pem, until, removedAt };
}

function rfc3339(time: number): string {
  return new Date(time).toISOString();
}

function milliseconds(text: string): number | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

import { Ajv } from 'ajv';
import { issuedBy, keyFits, parseCertificate } from './certificate.ts';
import type { Ca } from './issue.ts';

/** What the replicas share: the content of the CA Secret. */
export interface SharedCas {
  /** Signs the serving certificates. */
  readonly signing: Ca;
  /** Signs them later, once every API server trusts it. */
  readonly next: Ca | undefined;
}

/**
 * The one entry of the CA Secret. It holds JSON, and all in one entry, because its parts make sense together only:
 *
 *     { "version": 1,
 *       "signing": { "certificate": PEM, "privateKey": PEM },
 *       "next":    { the same; only while a new CA is being introduced } }
 *
 * Unknown members are ignored.
 */
export const caEntry = 'authorities.json';

/** The result of reading the entry. */
export type ParsedCas =
  | { readonly kind: 'usable'; readonly cas: SharedCas }
  /** It holds no CA that can sign: constant words say why. */
  | { readonly kind: 'unusable'; readonly why: string }
  /** Written by a later version of this program, which must not be overwritten. */
  | { readonly kind: 'later-version' };

interface CaDocument {
  readonly certificate: string;
  readonly privateKey: string;
}

const pem = { type: 'string', minLength: 1, maxLength: 64 * 1024 };
const ajv = new Ajv({ strict: true });
const isVersioned = ajv.compile<{ readonly version: number }>({
  type: 'object',
  required: ['version'],
  properties: { version: { type: 'integer', minimum: 1 } },
});
const isDocument = ajv.compile<{ readonly signing: unknown; readonly next?: unknown }>({
  type: 'object',
  required: ['version', 'signing'],
  properties: { version: { const: 1 }, signing: {}, next: {} },
});
const isCaDocument = ajv.compile<CaDocument>({
  type: 'object',
  required: ['certificate', 'privateKey'],
  properties: { certificate: pem, privateKey: pem },
});

/** The entry's text. */
export function formatCas({ signing, next }: SharedCas): string {
  const document = ({ certPem, keyPem }: Ca): CaDocument => ({ certificate: certPem, privateKey: keyPem });
  return JSON.stringify({
    version: 1,
    signing: document(signing),
    ...(next === undefined ? {} : { next: document(next) }),
  });
}

/** Reads the entry's text, trusting none of it. A damaged `next` counts as absent. Never throws. */
export function parseCas(text: string): ParsedCas {
  if (text === '') return { kind: 'unusable', why: 'empty' };
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { kind: 'unusable', why: 'not JSON' };
  }
  if (isVersioned(document) && document.version > 1) return { kind: 'later-version' };
  if (!isDocument(document)) return { kind: 'unusable', why: 'not the documented layout' };
  const signing = parseCa(document.signing);
  if (signing === undefined) return { kind: 'unusable', why: 'certificate and key of the CA do not fit' };
  return { kind: 'usable', cas: { signing, next: parseCa(document.next) } };
}

/** A CA that really can sign: a self-signed RSA CA certificate with its own key. */
function parseCa(value: unknown): Ca | undefined {
  if (!isCaDocument(value)) return undefined;
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
  return { certPem: certificate.pem, keyPem: value.privateKey };
}

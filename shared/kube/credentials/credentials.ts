import { createSecureContext, type SecureContext } from 'node:tls';
import { CredentialsError, errorCode } from '../errors.ts';
import type { ConnectionSettings, Impersonation } from '../kubeconfig/spec.ts';

/** What a connection needs to prove who it is and whom it trusts. */
export interface Credentials {
  /** Authorization and Impersonate-* headers. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Parsed once here instead of at every handshake. Absent for a plain http:// server. */
  readonly tls: TlsMaterial | undefined;
  /** The texts that the credentials were made of: equal texts, equal credentials. In memory only. */
  readonly texts: MaterialTexts;
}

export interface TlsMaterial {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
  readonly servername: string | undefined;
}

export interface MaterialTexts {
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
}

/**
 * Credentials from texts that were read. Throws CredentialsError, also for a key that does not belong to its certificate, as seen
 * when two files are replaced one after the other.
 */
export function buildCredentials(settings: ConnectionSettings, texts: MaterialTexts): Credentials {
  const authorization = authorizationHeader(settings, texts);
  return {
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(settings.impersonate === undefined ? {} : impersonationHeaders(settings.impersonate)),
    },
    tls: settings.server.startsWith('https:') ? tlsMaterial(settings, texts) : undefined,
    texts,
  };
}

function authorizationHeader({ basic }: ConnectionSettings, { token }: MaterialTexts): string | undefined {
  if (token !== undefined) {
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new CredentialsError('the token has characters that a header cannot carry');
    }
    return `Bearer ${token}`;
  }
  return basic === undefined
    ? undefined
    : `Basic ${Buffer.from(`${basic.username}:${basic.password}`, 'utf8').toString('base64')}`;
}

function tlsMaterial(settings: ConnectionSettings, { ca, certificate, key }: MaterialTexts): TlsMaterial {
  try {
    return {
      secureContext: createSecureContext({ ca, cert: certificate, key }),
      rejectUnauthorized: settings.insecureSkipTlsVerify !== true,
      servername: settings.tlsServerName,
    };
  } catch (error) {
    throw new CredentialsError(
      `the certificates cannot be used together: certificate authority, client certificate and key must be PEM, and the key the certificate's own (${errorCode(error)})`,
    );
  }
}

function impersonationHeaders(impersonate: Impersonation): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'impersonate-user': impersonate.user };
  if (impersonate.uid !== undefined) {
    headers['impersonate-uid'] = impersonate.uid;
  }
  if (impersonate.groups.length > 0) {
    headers['impersonate-group'] = [...impersonate.groups];
  }
  for (const [key, values] of Object.entries(impersonate.extra)) {
    headers[`impersonate-extra-${escapeHeaderName(key)}`] = [...values];
  }
  return headers;
}

/** The API server undoes percent encoding in the rest of an Impersonate-Extra- header's name. */
function escapeHeaderName(key: string): string {
  return Array.from(Buffer.from(key, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9!#$&'*+.^_`|~-]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

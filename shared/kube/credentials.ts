import type { RequestOptions } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import type { ConnectionSettings, Impersonation } from './connection-spec.ts';
import { errorCode } from './error-code.ts';
import { CredentialsError } from './errors.ts';

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
 *
 * client-node turns a user entry into TLS options and an Authorization header, so that whatever it learns to resolve (OIDC) is resolved
 * here. It gets one KubeConfig for each connection (its authenticators keep one token for each KubeConfig), and texts in place
 * of files: it would read files synchronously at every call, let a file win over `-data`, and keep a token's newline.
 * It is asked when material changes, never per request. What it does not know (token files by `tokenFile`, uid,
 * groups and extra of an impersonated user, a basic password as header) is added here.
 */
export async function buildCredentials(
  settings: ConnectionSettings,
  texts: MaterialTexts,
): Promise<Credentials> {
  if (texts.token !== undefined && !/^[\x21-\x7e]+$/.test(texts.token)) {
    throw new CredentialsError('the token has characters that a header cannot carry');
  }
  const secure = settings.server.startsWith('https:');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: 'cluster',
      server: settings.server,
      // client-node refuses plain http without this; no TLS takes place then.
      skipTLSVerify: !secure || settings.insecureSkipTlsVerify === true,
      ...(texts.ca === undefined ? {} : { caData: base64(texts.ca) }),
      ...(settings.tlsServerName === undefined ? {} : { tlsServerName: settings.tlsServerName }),
    },
    {
      name: 'user',
      ...(texts.certificate === undefined ? {} : { certData: base64(texts.certificate) }),
      ...(texts.key === undefined ? {} : { keyData: base64(texts.key) }),
      ...(texts.token === undefined ? {} : { token: texts.token }),
      ...settings.basic,
      ...(settings.impersonate === undefined ? {} : { impersonateUser: settings.impersonate.user }),
    },
  );
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);

  const headers: Record<string, string | string[]> = {};
  const authorization = authorizationHeader(options);
  if (authorization !== undefined) {
    headers['authorization'] = authorization;
  }
  if (settings.impersonate !== undefined) {
    Object.assign(headers, impersonationHeaders(settings.impersonate));
  }
  return { headers, tls: secure ? tlsMaterial(options, settings) : undefined, texts };
}

function authorizationHeader(options: RequestOptions): string | undefined {
  const { headers, auth } = options;
  const authorization =
    headers === undefined || Array.isArray(headers)
      ? undefined
      : Object.entries(headers).find(([name]) => name === 'Authorization')?.[1];
  if (typeof authorization === 'string') {
    return authorization;
  }
  return typeof auth === 'string' ? `Basic ${base64(auth)}` : undefined;
}

function tlsMaterial(options: RequestOptions, settings: ConnectionSettings): TlsMaterial {
  try {
    return {
      secureContext: createSecureContext({
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        ...(options.cert === undefined ? {} : { cert: options.cert }),
        ...(options.key === undefined ? {} : { key: options.key }),
      }),
      rejectUnauthorized: options.rejectUnauthorized !== false,
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

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

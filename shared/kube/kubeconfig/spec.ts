import { createHash } from 'node:crypto';
import type { IssuerSettings } from './issuer-settings.ts';

/** PEM or token text, given in place or in a file (absolute path) that is read when it is needed and again when it changes. */
export type Material = { readonly file: string } | { readonly text: string };

/** The user to act as, and what else is claimed for it. */
export interface Impersonation {
  readonly user: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** All that decides how a connection is made. It holds credentials: keep it in memory, never print it. */
export interface ConnectionSettings {
  /** As `normaliseServerUrl` gives it. */
  readonly server: string;
  /** PEM; the certificate authorities of the machine when absent. */
  readonly certificateAuthority?: Material | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  /** Checked against the server's certificate in place of the host of `server`. */
  readonly tlsServerName?: string | undefined;
  /** http://, https:// or socks5://, perhaps with user and password. */
  readonly proxyUrl?: string | undefined;
  /** PEM of both. */
  readonly clientCertificate?: { readonly certificate: Material; readonly key: Material } | undefined;
  readonly token?: Material | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly impersonate?: Impersonation | undefined;
  /** Instead of a token or a client certificate: who issues them. */
  readonly issuer?: IssuerSettings | undefined;
}

export interface ConnectionSpec extends ConnectionSettings {
  /**
   * SHA-256 over all settings: equal when, and only when, two contexts can share one connection, different when a
   * context changed. It is derived from credentials, so it is a key in memory and goes into no log or object.
   */
  readonly fingerprint: string;
}

/**
 * Where a connection leads: two that agree in it reach the same server. For people, too: it holds no credentials, also none
 * of the proxy.
 */
export function placeOf({ server, proxyUrl, tlsServerName }: ConnectionSettings): string {
  const proxy = proxyUrl === undefined ? null : URL.parse(proxyUrl);
  const via = proxy === null ? '' : ` via ${proxy.protocol}//${proxy.host}`;
  return `${server}${via}${tlsServerName === undefined ? '' : ` as ${tlsServerName}`}`;
}

/** Adds the fingerprint. */
export function connectionSpec(settings: ConnectionSettings): ConnectionSpec {
  return { ...settings, fingerprint: createHash('sha256').update(canonicalJson(settings)).digest('hex') };
}

/** JSON with sorted keys, so that the order in which a file names things does not matter. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

import { X509Certificate } from 'node:crypto';
import { isRecord } from '../../is-record.ts';
import type { MaterialTexts } from './credentials.ts';

/** What credentials say of themselves. Nothing is verified: it is for renewal, metrics and logs, never for trust. */
export interface Lifetime {
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number | undefined;
  readonly identity: string | undefined;
}

/** From the client certificate and from a token that is a JWT; the earlier of two expiries counts. */
export function lifetimeOf({ certificate, token }: Pick<MaterialTexts, 'certificate' | 'token'>): Lifetime {
  const ofToken = token === undefined ? undefined : tokenLifetime(token);
  const ofCertificate = certificate === undefined ? undefined : certificateLifetime(certificate);
  const expiries = [ofToken?.expiresAt, ofCertificate?.expiresAt].filter((at) => at !== undefined);
  return {
    expiresAt: expiries.length === 0 ? undefined : Math.min(...expiries),
    identity: ofToken?.identity ?? ofCertificate?.identity,
  };
}

function certificateLifetime(pem: string): Lifetime | undefined {
  try {
    const { validTo, subject } = new X509Certificate(pem);
    const expiresAt = Date.parse(validTo);
    return {
      expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt,
      identity: /^CN=(.+)$/m.exec(subject)?.[1],
    };
  } catch {
    // The connection's own checks say what is wrong with it.
    return undefined;
  }
}

function tokenLifetime(token: string): Lifetime | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) {
    return undefined;
  }
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return isRecord(claims)
      ? {
          expiresAt: typeof claims['exp'] === 'number' ? claims['exp'] * 1000 : undefined,
          identity: identityOf(claims),
        }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Tokens of Entra ID: `oid` is the name by which Kubernetes knows an application. */
function identityOf(claims: Readonly<Record<string, unknown>>): string | undefined {
  const [name] = [claims['oid'], claims['email'], claims['sub']].filter((claim) => typeof claim === 'string');
  return typeof name === 'string' ? name.slice(0, 256) : undefined;
}

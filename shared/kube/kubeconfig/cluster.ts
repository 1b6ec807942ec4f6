import { isIP } from 'node:net';
import type { ClusterFields } from './document.ts';
import { readMaterialField } from './material.ts';
import { certificateProblem } from './pem.ts';
import { normaliseServerUrl, ServerUrlError } from './server-url.ts';
import type { ConnectionSettings } from './spec.ts';

export type ClusterSettings = Pick<
  ConnectionSettings,
  'server' | 'certificateAuthority' | 'insecureSkipTlsVerify' | 'tlsServerName' | 'proxyUrl'
>;

/** What a cluster entry says about a connection. `server` is absent where its URL is; other problems leave it known. */
export function readCluster(
  fields: ClusterFields,
  baseDirectory: string | undefined,
): { settings: Omit<ClusterSettings, 'server'> & { server?: string | undefined }; problems: string[] } {
  const problems: string[] = [];
  const certificateAuthority = readMaterialField(
    'certificate-authority',
    fields['certificate-authority'],
    fields['certificate-authority-data'],
    baseDirectory,
    problems,
  );
  if (certificateAuthority !== undefined && 'text' in certificateAuthority) {
    const problem = certificateProblem(certificateAuthority.text);
    if (problem !== undefined) {
      problems.push(`certificate-authority-data ${problem}`);
    }
  }
  const insecure = fields['insecure-skip-tls-verify'] === true;
  if (insecure && (fields['certificate-authority'] ?? fields['certificate-authority-data']) !== undefined) {
    problems.push(
      'insecure-skip-tls-verify together with a certificate authority contradicts itself: keep one of them',
    );
  }
  const tlsServerName = fields['tls-server-name'];
  if (tlsServerName !== undefined && isIP(tlsServerName) !== 0) {
    problems.push('tls-server-name must be a DNS name, not an IP address');
  }
  return {
    settings: {
      server: readServer(fields.server, problems),
      certificateAuthority,
      insecureSkipTlsVerify: insecure ? true : undefined,
      tlsServerName,
      proxyUrl: readProxyUrl(fields['proxy-url'], problems),
    },
    problems,
  };
}

function readServer(server: string | undefined, problems: string[]): string | undefined {
  if (server === undefined) {
    problems.push('it has no server: add its URL');
    return undefined;
  }
  try {
    return normaliseServerUrl(server);
  } catch (error) {
    if (!(error instanceof ServerUrlError)) {
      throw error;
    }
    problems.push(error.message);
    return undefined;
  }
}

function readProxyUrl(proxyUrl: string | undefined, problems: string[]): string | undefined {
  if (proxyUrl === undefined) {
    return undefined;
  }
  // The URL itself stays out of the problem: it can hold a password.
  const url = URL.parse(proxyUrl);
  if (
    url === null ||
    !['http:', 'https:', 'socks5:', 'socks5h:'].includes(url.protocol) ||
    url.hostname === ''
  ) {
    problems.push('proxy-url must be a URL that begins with http://, https:// or socks5://');
    return undefined;
  }
  return url.href;
}

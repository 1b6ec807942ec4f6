import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertificateAuthority, type KeyAndCertificate, privateKeyPem } from './certificate-authority.ts';
import { files } from './command-lines.ts';

/** A user known by a bearer token from the start; RBAC decides what it may do. */
export interface TokenUser {
  readonly name: string;
  readonly groups?: readonly string[];
}

/** What proves identity at one control plane. */
export interface Credentials {
  readonly ca: CertificateAuthority;
  readonly serving: KeyAndCertificate;
  /** PEM; signs the tokens of ServiceAccounts. */
  readonly serviceAccountKey: string;
  readonly adminToken: string;
  /** By name of the user. */
  readonly userTokens: ReadonlyMap<string, string>;
  /** The lines of `--token-auth-file`. */
  readonly tokenLines: readonly string[];
}

/** Makes all keys and tokens of a control plane. */
export async function makeCredentials(name: string, users: readonly TokenUser[]): Promise<Credentials> {
  const [ca, serviceAccountKey] = await Promise.all([
    CertificateAuthority.create(`sandbox-${name}`),
    privateKeyPem(),
  ]);
  const serving = await ca.serving({
    dns: ['localhost', 'kubernetes.default', 'kubernetes.default.svc'],
    ip: ['127.0.0.1', '127.0.0.2'],
  });
  const adminToken = randomToken();
  const userTokens = new Map(users.map((user) => [user.name, randomToken()]));
  const tokenLines = [
    tokenLine(adminToken, { name: 'sandbox-admin', groups: ['system:masters'] }),
    ...users.map((user) => tokenLine(userTokens.get(user.name) ?? randomToken(), user)),
  ];
  return { ca, serving, serviceAccountKey, adminToken, userTokens, tokenLines };
}

/** Writes what an API server reads into `folder`. */
export async function writeCredentials(
  folder: string,
  { ca, serving, serviceAccountKey, tokenLines }: Credentials,
): Promise<void> {
  await Promise.all([
    write(folder, files.ca, ca.certPem),
    write(folder, files.servingCert, serving.certPem),
    write(folder, files.servingKey, serving.keyPem),
    write(folder, files.serviceAccountKey, serviceAccountKey),
    write(folder, files.tokens, tokenLines.join('\n')),
  ]);
}

async function write(folder: string, name: string, content: string): Promise<void> {
  await writeFile(join(folder, name), content, { mode: 0o600 });
}

function randomToken(): string {
  return randomBytes(24).toString('base64url');
}

/** The CSV of `--token-auth-file`: token, user name, user uid, groups. */
function tokenLine(token: string, { name, groups = [] }: TokenUser): string {
  return `${token},${name},${name},"${groups.join(',')}"`;
}

import type { UserFields } from './document.ts';
import { authProviderProblem, type ExecSurroundings, readExec } from './exec.ts';
import { readFileField, readMaterialField } from './material.ts';
import { certificateProblem, keyProblem } from './pem.ts';
import type { ConnectionSettings, Impersonation, Material } from './spec.ts';

export type UserSettings = Pick<
  ConnectionSettings,
  'clientCertificate' | 'token' | 'basic' | 'impersonate' | 'issuer'
>;

/** What may stand in a header that we send. */
const headerValue = /^[\x20-\x7e]*$/;

/** What a user entry says about a connection, and what is wrong with it. */
export function readUser(
  fields: UserFields,
  surroundings: ExecSurroundings,
): { settings: UserSettings; problems: string[] } {
  const { baseDirectory, server } = surroundings;
  const problems: string[] = [];
  const issuer = fields.exec === undefined ? undefined : readExec(fields.exec, surroundings, problems);
  if (fields['auth-provider'] !== undefined) {
    problems.push(authProviderProblem(fields['auth-provider']));
  }
  const settings = {
    clientCertificate: readClientCertificate(fields, baseDirectory, problems),
    token: readToken(fields, baseDirectory, problems),
    basic: readBasic(fields, problems),
    impersonate: readImpersonation(fields, problems),
    issuer,
  };
  if (
    fields.exec !== undefined &&
    (settings.token ?? settings.basic ?? settings.clientCertificate) !== undefined
  ) {
    problems.push('it has exec and other credentials: keep one of them');
  }
  if (settings.token !== undefined && settings.basic !== undefined) {
    problems.push('it has a token and a username: keep one of them, only one can be sent');
  }
  // kubectl leaves credentials out there, and the server would see somebody without a name.
  if (server?.startsWith('http://') && (settings.token ?? settings.basic ?? issuer) !== undefined) {
    problems.push(
      'its credentials would be readable on the way to an http:// server: use https, or a user without credentials',
    );
  }
  return { settings, problems };
}

function readClientCertificate(
  fields: UserFields,
  baseDirectory: string | undefined,
  problems: string[],
): UserSettings['clientCertificate'] {
  const before = problems.length;
  const certificate = readMaterialField(
    'client-certificate',
    fields['client-certificate'],
    fields['client-certificate-data'],
    baseDirectory,
    problems,
  );
  const key = readMaterialField(
    'client-key',
    fields['client-key'],
    fields['client-key-data'],
    baseDirectory,
    problems,
  );
  if (problems.length > before) {
    return undefined;
  }
  if (certificate === undefined || key === undefined) {
    if (certificate !== undefined) {
      problems.push('it has a client certificate without a client key');
    }
    if (key !== undefined) {
      problems.push('it has a client key without a client certificate');
    }
    return undefined;
  }
  checkPair(certificate, key, problems);
  return { certificate, key };
}

/** Files are checked when they are read: they can change. */
function checkPair(certificate: Material, key: Material, problems: string[]): void {
  const wrongCertificate = 'text' in certificate ? certificateProblem(certificate.text) : undefined;
  if (wrongCertificate !== undefined) {
    problems.push(`client-certificate-data ${wrongCertificate}`);
  }
  const partner = 'text' in certificate && wrongCertificate === undefined ? certificate.text : undefined;
  const wrongKey = 'text' in key ? keyProblem(key.text, partner) : undefined;
  if (wrongKey !== undefined) {
    problems.push(`client-key-data ${wrongKey}`);
  }
}

/** As for kubectl, a token file wins over a token beside it. */
function readToken(
  fields: UserFields,
  baseDirectory: string | undefined,
  problems: string[],
): Material | undefined {
  const file = fields.tokenFile ?? fields['token-file'];
  if (file !== undefined) {
    return readFileField('tokenFile', file, baseDirectory, problems);
  }
  const token = fields.token?.trim();
  if (token === undefined) {
    return undefined;
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    problems.push('its token has characters that a header cannot carry');
  }
  return { text: token };
}

function readBasic(fields: UserFields, problems: string[]): UserSettings['basic'] {
  const { username, password } = fields;
  if (username === undefined) {
    if (password !== undefined) {
      problems.push('it has a password without a username');
    }
    return undefined;
  }
  if (username.includes(':')) {
    problems.push('its username has a colon, which basic authentication cannot carry');
  }
  return { username, password: password ?? '' };
}

function readImpersonation(fields: UserFields, problems: string[]): Impersonation | undefined {
  const groups = fields['as-groups'] ?? [];
  const extra = fields['as-user-extra'] ?? {};
  if (fields.as === undefined) {
    if (fields['as-uid'] !== undefined || groups.length > 0 || Object.keys(extra).length > 0) {
      problems.push('it has as-uid, as-groups or as-user-extra without as: name the user to act as');
    }
    return undefined;
  }
  const values = [fields.as, fields['as-uid'] ?? '', ...groups, ...Object.values(extra).flat()];
  if (!values.every((value) => headerValue.test(value))) {
    problems.push('as, as-uid, as-groups and as-user-extra may hold printable ASCII characters only');
  }
  return { user: fields.as, uid: fields['as-uid'], groups, extra };
}

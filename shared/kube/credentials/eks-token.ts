import type * as Aws from '@aws-sdk/credential-providers';
import type { Clock } from '../../clock.ts';
import { isRecord } from '../../is-record.ts';
import { CredentialsError } from '../errors.ts';
import type { EksSettings } from '../kubeconfig/issuer-settings.ts';
import type { Issued, Issuer } from './issuers.ts';
import { optionalLibrary } from './optional-library.ts';
import type { CredentialEnvironment } from './variables.ts';

/** EKS takes a token for 15 minutes after it was signed; AWS's own tools use it for 14. */
const tokenLifeMs = 14 * 60_000;

/** The part of the AWS SDK's credentials that is needed. */
interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
  readonly accountId?: string;
}

/**
 * Tokens for one EKS cluster: a presigned request to STS that says who we are, which the cluster carries out. Signing
 * takes no request. The AWS credentials that sign are kept while they outlive the token.
 */
export function eksIssuer(settings: EksSettings, clock: Clock, environment: CredentialEnvironment): Issuer {
  let credentials: AwsCredentials | undefined;
  return async ({ fresh }) => {
    if (fresh || credentials === undefined || expiry(credentials) - clock.now() < tokenLifeMs) {
      credentials = await awsCredentials(settings, environment);
    }
    const now = clock.now();
    return {
      token: await eksToken(settings, credentials, now),
      expiresAt: Math.min(now + tokenLifeMs, expiry(credentials)),
      identity: identityOf(settings, credentials, environment),
    };
  };
}

/** What to grant when the cluster refuses the identity. */
export function eksAdvice({ clusterId }: EksSettings, identity: string | undefined): string {
  const who = identity ?? 'the IAM role of this Pod';
  return `${who} needs an access entry in the cluster: aws eks create-access-entry --cluster-name ${clusterId} --principal-arn ROLE_ARN`;
}

/** The token in the form that `aws eks get-token` prints. `now` is in milliseconds since the Unix epoch. */
export async function eksToken(
  { clusterId, region }: Pick<EksSettings, 'clusterId' | 'region'>,
  credentials: AwsCredentials,
  now: number,
): Promise<string> {
  const [{ SignatureV4 }, { Sha256 }, { partition }] = await optionalLibrary(
    '@smithy/signature-v4, @smithy/core, @aws-sdk/core',
    () =>
      Promise.all([
        import('@smithy/signature-v4'),
        import('@smithy/core/checksum'),
        import('@aws-sdk/core/client'),
      ]),
  );
  const hostname = `sts.${region}.${partition(region).dnsSuffix}`;
  const signer = new SignatureV4({ service: 'sts', region, credentials, sha256: Sha256 });
  const { query = {} } = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname,
      path: '/',
      query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
      headers: { host: hostname, 'x-k8s-aws-id': clusterId },
    },
    // The verifier wants 0 to 60 here and takes the token for 15 minutes all the same.
    { expiresIn: 60, signingDate: new Date(now) },
  );
  const url = `https://${hostname}/?${Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(String(value))}`)
    .join('&')}`;
  return `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
}

/** As RFC 3986 has it, which signatures are made over. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** AWS credentials of this Pod, or of the role that it is to assume. Throws CredentialsError. */
async function awsCredentials(
  settings: EksSettings,
  environment: CredentialEnvironment,
): Promise<AwsCredentials> {
  const { region, roleArn, sessionName, externalId } = settings;
  const aws = await optionalLibrary(
    '@aws-sdk/credential-providers',
    () => import('@aws-sdk/credential-providers'),
  );
  const { source, load } = credentialSource(aws, settings, environment);
  const base = await explained(
    (code) =>
      `no AWS credentials can be had from ${source} (${code}): give the ServiceAccount of this Pod an IAM role, by EKS Pod Identity or IRSA, and check that role's trust policy`,
    load,
  );
  if (roleArn === undefined) {
    return base;
  }
  return await explained(
    (code) =>
      `${roleArn} cannot be assumed (${code}): its trust policy must allow sts:AssumeRole to the IAM role of this Pod, and that role's policy must allow it for ${roleArn}`,
    aws.fromTemporaryCredentials({
      masterCredentials: base,
      clientConfig: { region },
      params: {
        RoleArn: roleArn,
        RoleSessionName: sessionName ?? 'context-syncer',
        ...(externalId === undefined ? {} : { ExternalId: externalId }),
      },
    }),
  );
}

/**
 * The one place where this Pod has its AWS credentials from, in the SDK's order. Not the SDK's own chain: that goes on to
 * the next place after a refusal and reports the last one only, and it runs commands that a default profile names.
 */
function credentialSource(
  aws: typeof Aws,
  settings: EksSettings,
  environment: CredentialEnvironment,
): { source: string; load: () => Promise<AwsCredentials> } {
  const clientConfig = { region: settings.region };
  const profile = settings.profile ?? environment['AWS_PROFILE'];
  if (profile !== undefined) {
    return { source: `the profile "${profile}"`, load: aws.fromIni({ profile, clientConfig }) };
  }
  if (environment['AWS_ACCESS_KEY_ID'] !== undefined) {
    return { source: 'the environment', load: aws.fromEnv() };
  }
  if (environment['AWS_WEB_IDENTITY_TOKEN_FILE'] !== undefined) {
    return { source: 'a web identity (IRSA)', load: aws.fromTokenFile({ clientConfig }) };
  }
  if (
    environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'] !== undefined ||
    environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] !== undefined
  ) {
    return { source: 'EKS Pod Identity', load: aws.fromHttp({ maxRetries: 1 }) };
  }
  return {
    source: 'the instance metadata of the node',
    load: aws.fromInstanceMetadata({ timeout: 1_000, maxRetries: 1 }),
  };
}

async function explained(
  problem: (code: string) => string,
  load: () => Promise<AwsCredentials>,
): Promise<AwsCredentials> {
  try {
    return await load();
  } catch (error) {
    throw new CredentialsError(problem(awsCode(error)));
  }
}

/** STS's error codes are the names of the SDK's errors; its messages can repeat what was sent. */
function awsCode(error: unknown): string {
  const candidates = isRecord(error) ? [error['Code'], error['code'], error['name']] : [];
  const code = candidates.find((candidate) => typeof candidate === 'string');
  return typeof code === 'string' && /^[A-Za-z_.]{1,60}$/.test(code) ? code : 'unknown';
}

function expiry({ expiration }: AwsCredentials): number {
  return expiration?.getTime() ?? Infinity;
}

function identityOf(
  { roleArn, profile }: EksSettings,
  { accountId }: AwsCredentials,
  environment: CredentialEnvironment,
): Issued['identity'] {
  if (roleArn !== undefined) {
    return roleArn;
  }
  if (profile !== undefined) {
    return `AWS profile ${profile}`;
  }
  return (
    environment['AWS_ROLE_ARN'] ??
    (accountId === undefined ? undefined : `the IAM role of this Pod in account ${accountId}`)
  );
}

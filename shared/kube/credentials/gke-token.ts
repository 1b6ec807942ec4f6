import { isRecord } from '../../is-record.ts';
import { CredentialsError } from '../errors.ts';
import type { Issued, Issuer } from './issuers.ts';
import { optionalLibrary } from './optional-library.ts';

/** Those of gke-gcloud-auth-plugin: with the second one GKE knows a service account by its email. */
const scopes = [
  'https://www.googleapis.com/auth/cloud-platform',
  'https://www.googleapis.com/auth/userinfo.email',
];

/** No token depends on it. Where none is given the library asks Google for one with every new client. */
const unusedProject = 'unused';

/** Access tokens of the application default credentials: metadata server, workload identity federation or a key file. */
export function gkeIssuer(): Issuer {
  return async () => {
    const { GoogleAuth } = await optionalLibrary('google-auth-library', () => import('google-auth-library'));
    try {
      // A new client each time: the library keeps tokens that GKE has refused.
      const auth = new GoogleAuth({ scopes, projectId: unusedProject });
      const client = await auth.getClient();
      const { token } = await client.getAccessToken();
      if (typeof token !== 'string') {
        throw new CredentialsError('Google Cloud gave no access token');
      }
      return {
        token,
        expiresAt: client.credentials.expiry_date ?? undefined,
        identity: await emailOf(auth),
      };
    } catch (error) {
      throw error instanceof CredentialsError ? error : new CredentialsError(problemOf(error));
    }
  };
}

/** What to grant when the cluster refuses the identity. */
export function gkeAdvice(identity: string | undefined): string {
  return `check that ${identity ?? "this Pod's Google service account"} belongs to a project that the cluster's project trusts, and that a ClusterRoleBinding or Role names it as a User`;
}

async function emailOf(auth: {
  getCredentials(): Promise<{ client_email?: string | undefined }>;
}): Promise<Issued['identity']> {
  try {
    return (await auth.getCredentials()).client_email;
  } catch {
    // Only the token is needed.
    return undefined;
  }
}

/** The library's messages can quote an answer, which can hold tokens: only its code and status are shown. */
function problemOf(error: unknown): string {
  const response = isRecord(error) && isRecord(error['response']) ? error['response'] : undefined;
  if (response === undefined) {
    const code = isRecord(error) && typeof error['code'] === 'string' ? ` (${error['code']})` : '';
    return `no Google credentials were found${code}: link the ServiceAccount to a Google service account (workload identity federation for GKE), or set GOOGLE_APPLICATION_CREDENTIALS`;
  }
  const code = errorCode(response['data']);
  const detail = [code, String(response['status'])].filter((part) => part !== undefined).join(', ');
  return `Google Cloud refuses a token (${detail}): grant roles/iam.workloadIdentityUser on the Google service account to the Kubernetes ServiceAccount of this Pod`;
}

/** Of an OAuth error, which the metadata server sends as text. */
function errorCode(data: unknown): string | undefined {
  const { error } = isRecord(data) ? data : typeof data === 'string' ? parsed(data) : {};
  return typeof error === 'string' && /^[\w.-]{1,60}$/.test(error) ? error : undefined;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

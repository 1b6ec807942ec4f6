import type * as Msal from '@azure/msal-node';
import { isRecord } from '../../is-record.ts';
import { CredentialsError } from '../errors.ts';
import type { AksSettings } from '../kubeconfig/issuer-settings.ts';
import { readCredentialFile } from './given.ts';
import type { Issued, Issuer } from './issuers.ts';
import { optionalLibrary } from './optional-library.ts';
import type { CredentialEnvironment } from './variables.ts';

const publicCloud = 'https://login.microsoftonline.com/';

/** Entra ID access tokens for the API server of an AKS cluster, as kubelogin gets them. */
export function aksIssuer(settings: AksSettings, environment: CredentialEnvironment): Issuer {
  return async () => {
    const msal = await optionalLibrary('@azure/msal-node', () => import('@azure/msal-node'));
    try {
      const result =
        settings.login === 'msi'
          ? await managedIdentityToken(msal, settings)
          : await applicationToken(msal, settings, environment);
      if (result === null) {
        throw new CredentialsError('Microsoft Entra ID gave no token');
      }
      return { token: result.accessToken, expiresAt: result.expiresOn?.getTime() };
    } catch (error) {
      throw error instanceof CredentialsError ? error : new CredentialsError(problemOf(settings, error));
    }
  };
}

/** What to grant when the cluster refuses the identity. */
export function aksAdvice(identity: Issued['identity']): string {
  return `the cluster needs the Microsoft Entra ID integration of AKS, in the tenant of ${identity === undefined ? 'the identity that is used' : `object ID ${identity}`}`;
}

// A new application each time: the library keeps tokens that AKS has refused.

async function managedIdentityToken(
  { ManagedIdentityApplication }: typeof Msal,
  { serverId, clientId, identityResourceId }: AksSettings,
): Promise<Msal.AuthenticationResult> {
  const application = new ManagedIdentityApplication({
    managedIdentityIdParams: {
      ...(clientId === undefined ? {} : { userAssignedClientId: clientId }),
      ...(identityResourceId === undefined ? {} : { userAssignedResourceId: identityResourceId }),
    },
  });
  return await application.acquireToken({ resource: serverId, forceRefresh: true });
}

async function applicationToken(
  { ConfidentialClientApplication }: typeof Msal,
  settings: AksSettings,
  environment: CredentialEnvironment,
): Promise<Msal.AuthenticationResult | null> {
  const clientId = needed('client-id', settings.clientId, 'AZURE_CLIENT_ID', environment);
  const tenantId = needed('tenant-id', settings.tenantId, 'AZURE_TENANT_ID', environment);
  const host = settings.authorityHost ?? environment['AZURE_AUTHORITY_HOST'] ?? publicCloud;
  const application = new ConfidentialClientApplication({
    auth: {
      clientId,
      authority: new URL(tenantId, host).href,
      // It is the operator's or one of Microsoft's: nobody else has to vouch for it.
      knownAuthorities: [new URL(host).host],
      ...(settings.login === 'spn'
        ? { clientSecret: needed('client-secret', settings.clientSecret, 'AZURE_CLIENT_SECRET', environment) }
        : { clientAssertion: await federatedToken(settings, environment) }),
    },
  });
  return await application.acquireTokenByClientCredential({
    scopes: [`${settings.serverId}/.default`],
    skipCache: true,
  });
}

/** Read each time: the kubelet renews it. */
async function federatedToken(settings: AksSettings, environment: CredentialEnvironment): Promise<string> {
  const file = needed(
    'federated-token-file',
    settings.federatedTokenFile,
    'AZURE_FEDERATED_TOKEN_FILE',
    environment,
  );
  return (await readCredentialFile('federated token', file)).trim();
}

function needed(
  option: string,
  given: string | undefined,
  variable: string,
  environment: CredentialEnvironment,
): string {
  const value = given ?? environment[variable];
  if (value === undefined || value === '') {
    throw new CredentialsError(
      `kubelogin's --${option} is not given and ${variable} is not set: label the Pod with azure.workload.identity/use: "true" and annotate its ServiceAccount with azure.workload.identity/client-id`,
    );
  }
  return value;
}

/** Entra's messages can repeat what was sent: only the codes are shown. */
function problemOf({ login, clientId }: AksSettings, error: unknown): string {
  const { errorCode, errorMessage } = isRecord(error) ? error : {};
  const codes = [
    typeof errorCode === 'string' && /^[\w.-]{1,60}$/.test(errorCode) ? errorCode : undefined,
    typeof errorMessage === 'string' ? /AADSTS\d{1,9}/.exec(errorMessage)?.[0] : undefined,
  ].filter((code) => code !== undefined);
  const what = `Microsoft Entra ID refuses a token (${codes.length === 0 ? 'no answer' : codes.join(', ')})`;
  const who = clientId === undefined ? 'the application' : `application ${clientId}`;
  return {
    workloadidentity: `${what}: give ${who} a federated credential for this Pod's ServiceAccount`,
    msi: `${what}: assign the managed identity to the node pool of this Pod`,
    spn: `${what}: renew the client secret of ${who}`,
  }[login];
}

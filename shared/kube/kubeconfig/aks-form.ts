import type { AksLogin, AksSettings } from './issuer-settings.ts';
import { readFileField } from './material.ts';
import { type CommandForm, type ExecEntry, ignored, quotedName, readCommandForm } from './plugin-options.ts';

/** The application of AKS in Entra ID, in every cloud. A token for another one is no use in a cluster, and of use elsewhere. */
const aksServer = '6dae42f8-4368-4678-94ff-3960e28e3630';

const logins: readonly AksLogin[] = ['workloadidentity', 'msi', 'spn'];

/** Who issues tokens, by the name that Azure has for the cloud. */
const clouds: ReadonlyMap<string, string> = new Map([
  ['AzurePublicCloud', 'https://login.microsoftonline.com/'],
  ['AzureChinaCloud', 'https://login.chinacloudapi.cn/'],
  ['AzureUSGovernmentCloud', 'https://login.microsoftonline.us/'],
  ['AzureUSGovernment', 'https://login.microsoftonline.us/'],
]);

const form: CommandForm = {
  tool: 'kubelogin get-token',
  words: ['get-token'],
  options: new Map([
    ['--login', 'login'],
    ['-l', 'login'],
    ['--server-id', 'server'],
    ['--client-id', 'client'],
    ['--tenant-id', 'tenant'],
    ['-t', 'tenant'],
    ['--environment', 'environment'],
    ['-e', 'environment'],
    ['--authority-host', 'authority'],
    ['--federated-token-file', 'file'],
    ['--client-secret', 'secret'],
    ['--identity-resource-id', 'resource'],
    // Nothing is cached on disk.
    ['--cache-dir', ignored],
    ['--token-cache-dir', ignored],
  ]),
  // Authorities are known, or the operator's: none has to be discovered. Options go before variables as it is.
  ignoredSwitches: ['--disable-instance-discovery', '--disable-environment-override'],
  variables: new Map([
    ['AAD_LOGIN_METHOD', 'login'],
    ['AAD_SERVICE_PRINCIPAL_CLIENT_ID', 'client'],
    ['AAD_SERVICE_PRINCIPAL_CLIENT_SECRET', 'secret'],
    ['AZURE_CLIENT_ID', 'client'],
    ['AZURE_CLIENT_SECRET', 'secret'],
    ['AZURE_TENANT_ID', 'tenant'],
    ['AZURE_AUTHORITY_HOST', 'authority'],
    ['AZURE_FEDERATED_TOKEN_FILE', 'file'],
  ]),
};

/** What `az aks get-credentials` and `kubelogin convert-kubeconfig` write. */
export function readAks(
  entry: ExecEntry,
  baseDirectory: string | undefined,
  problems: string[],
): AksSettings | undefined {
  const before = problems.length;
  const values = readCommandForm(form, entry.args, entry.env, problems);
  if (problems.length > before) {
    return undefined;
  }
  const given = values.get('login') ?? 'devicecode';
  const login = logins.find((candidate) => candidate === given);
  const serverId = values.get('server');
  if (login === undefined) {
    problems.push(
      `${form.tool}: the login ${quotedName(given)} needs a person or a program: convert it with kubelogin convert-kubeconfig --login workloadidentity (or msi, or spn)`,
    );
  }
  if (serverId !== aksServer) {
    problems.push(`${form.tool}: --server-id must be ${aksServer}, the application of AKS`);
  }
  const authorityHost = readAuthority(values, problems);
  const federatedTokenFile = readFileField(
    '--federated-token-file',
    values.get('file'),
    baseDirectory,
    problems,
  );
  for (const [option, value] of [
    ['--client-id', values.get('client')],
    ['--tenant-id', values.get('tenant')],
  ] as const) {
    if (value !== undefined && !/^[A-Za-z0-9.-]{1,100}$/.test(value)) {
      problems.push(`${form.tool}: ${option} is no ID`);
    }
  }
  if (problems.length > before || login === undefined || serverId === undefined) {
    return undefined;
  }
  return {
    provider: 'aks',
    login,
    serverId,
    clientId: values.get('client'),
    tenantId: values.get('tenant'),
    authorityHost,
    federatedTokenFile: federatedTokenFile?.file,
    clientSecret: values.get('secret'),
    identityResourceId: values.get('resource'),
  };
}

/** Only Microsoft's own: the Pod's federated token is sent there, and opens Azure to its holder. */
function readAuthority(values: ReadonlyMap<string, string>, problems: string[]): string | undefined {
  const host = values.get('authority');
  const environment = values.get('environment');
  if (host !== undefined) {
    const known = [...clouds.values()].find((cloud) => cloud === `${host.replace(/\/$/, '')}/`);
    if (known === undefined) {
      problems.push(
        `${form.tool}: --authority-host must be one of ${[...new Set(clouds.values())].join(', ')}; another one is set by the operator, as AZURE_AUTHORITY_HOST of the controller`,
      );
    }
    return known;
  }
  if (environment === undefined || environment === 'AzurePublicCloud') {
    // The operator's, if there is one.
    return undefined;
  }
  const cloud = clouds.get(environment);
  if (cloud === undefined) {
    problems.push(`${form.tool}: --environment must be one of ${[...clouds.keys()].join(', ')}`);
  }
  return cloud;
}

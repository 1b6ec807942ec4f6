import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { AllowedPlugins } from '../../../../../shared/kube/kubeconfig/exec.ts';
import { parseKubeconfig } from '../../../../../shared/kube/kubeconfig/kubeconfig.ts';

interface RestOfKubeconfig {
  readonly server?: string;
  readonly plugins?: AllowedPlugins;
  readonly baseDirectory?: string | undefined;
  readonly cluster?: object;
  readonly user?: object;
}

/** The settings that an exec entry leads to, or the problem. Without a base directory, as from a Secret. */
function read(exec: unknown, rest: RestOfKubeconfig = {}): unknown {
  const { server = 'https://api.example', plugins, baseDirectory, cluster, user } = rest;
  const text = stringify({
    clusters: [{ name: 'k', cluster: { server, ...cluster } }],
    users: [{ name: 'u', user: { exec, ...user } }],
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
  });
  const [context] = parseKubeconfig(text, { baseDirectory, plugins }).contexts;
  return context !== undefined && 'connection' in context ? context.connection.issuer : context?.problem;
}

const beta = 'client.authentication.k8s.io/v1beta1';

describe('EKS', () => {
  const plain = { provider: 'eks', clusterId: 'demo', region: 'eu-central-1' };
  const role = 'arn:aws:iam::111122223333:role/path/target';

  test.each<[string, object, object, string?]>([
    [
      'aws eks update-kubeconfig',
      {
        apiVersion: beta,
        args: ['--region', 'eu-central-1', 'eks', 'get-token', '--cluster-name', 'demo', '--output', 'json'],
        command: 'aws',
      },
      plain,
    ],
    [
      'the same with --role-arn and --profile',
      {
        apiVersion: beta,
        args: [
          '--region',
          'eu-central-1',
          'eks',
          'get-token',
          '--cluster-name',
          'demo',
          '--output',
          'json',
          '--role',
          role,
        ],
        command: 'aws',
        env: [{ name: 'AWS_PROFILE', value: 'prod' }],
        interactiveMode: 'IfAvailable',
        provideClusterInfo: false,
      },
      { ...plain, roleArn: role, profile: 'prod' },
    ],
    [
      'the AWS CLI of some years ago',
      {
        apiVersion: 'client.authentication.k8s.io/v1alpha1',
        args: ['--region', 'eu-central-1', 'eks', 'get-token', '--cluster-name', 'demo'],
        command: 'aws',
        env: null,
      },
      plain,
    ],
    [
      'a local cluster on an Outpost',
      {
        apiVersion: beta,
        args: ['--region=eu-central-1', 'eks', 'get-token', '--cluster-id', '0a1b-2c3d'],
        command: '/usr/local/bin/aws',
      },
      { ...plain, clusterId: '0a1b-2c3d' },
    ],
    [
      'eksctl with aws-iam-authenticator',
      {
        apiVersion: beta,
        args: ['token', '-i', 'demo'],
        command: 'aws-iam-authenticator',
        env: [
          { name: 'AWS_STS_REGIONAL_ENDPOINTS', value: 'regional' },
          { name: 'AWS_DEFAULT_REGION', value: 'eu-central-1' },
        ],
      },
      plain,
    ],
    [
      'aws-iam-authenticator, whose region is in the server',
      {
        apiVersion: beta,
        args: ['token', '-i', 'demo', '-r', role, '-e', 'x'],
        command: 'aws-iam-authenticator',
      },
      { ...plain, region: 'ap-southeast-2', roleArn: role, externalId: 'x' },
      'https://0123456789ABCDEF.gr7.ap-southeast-2.eks.amazonaws.com',
    ],
  ])('%s', (_what, exec, expected, server = 'https://api.example') => {
    expect(read(exec, { server })).toEqual({
      roleArn: undefined,
      profile: undefined,
      sessionName: undefined,
      externalId: undefined,
      ...expected,
    });
  });

  const get = ['eks', 'get-token', '--cluster-name', 'demo', '--region', 'eu-central-1'];

  test.each<[string, object, RegExp]>([
    [
      'an option that is not known',
      { args: [...get, '--endpoint-url=CANARY'] },
      /option "--endpoint-url" is not/,
    ],
    [
      'a variable that is not known',
      { args: get, env: [{ name: 'AWS_CA_BUNDLE', value: 'CANARY' }] },
      /"AWS_CA_BUNDLE" is not/,
    ],
    ['another command', { args: ['s3', 'ls'] }, /only the command eks get-token/],
    ['no cluster', { args: ['eks', 'get-token', '--region', 'eu-central-1'] }, /name is missing/],
    ['no region', { args: get.slice(0, 4) }, /region is missing/],
    // It would be part of the host that credentials are sent to.
    [
      'a region that leads elsewhere',
      { args: ['eks', 'get-token', '--cluster-name', 'x', '--region', 'evil.example/CANARY'] },
      /region is missing or not valid/,
    ],
    ['a role that is no ARN', { args: [...get, '--role-arn', 'CANARY'] }, /no ARN/],
    ['an option twice', { args: [...get, '--region', 'us-east-1'] }, /--region is given more than once/],
    ['an option without a value', { args: get.slice(0, -1) }, /--region has no value/],
    [
      'a property of every object',
      { args: get, env: [{ name: 'constructor', value: 'CANARY' }] },
      /"constructor" is not/,
    ],
    ['args that are no list', { args: 'CANARY' }, /exec.args must be array,null/],
  ])('refused: %s', (_what, exec, problem) => {
    const entry = { apiVersion: beta, command: 'aws', ...exec };
    expect(read(entry)).toMatch(problem);
    expect(read(entry)).not.toContain('CANARY');
  });
});

describe('GKE', () => {
  const written = {
    apiVersion: beta,
    command: 'gke-gcloud-auth-plugin',
    installHint:
      'Install gke-gcloud-auth-plugin for use with kubectl by following\n https://cloud.google.com/x',
    provideClusterInfo: true,
  };

  test.each<[string, object]>([
    ['gcloud container clusters get-credentials', written],
    [
      'where the SDK is not on the PATH',
      { ...written, command: '/opt/google-cloud-sdk/bin/gke-gcloud-auth-plugin' },
    ],
    ['on Windows', { ...written, command: 'C:\\Program Files\\google\\gke-gcloud-auth-plugin.exe' }],
    ['with application default credentials', { ...written, args: ['--use_application_default_credentials'] }],
  ])('%s', (_what, exec) => {
    expect(read(exec)).toEqual({ provider: 'gke' });
  });

  test('an option that is not known is refused', () => {
    expect(read({ ...written, args: ['--use_edge_cloud'] })).toMatch(/option "--use_edge_cloud" is not/);
  });
});

describe('AKS', () => {
  const serverId = '6dae42f8-4368-4678-94ff-3960e28e3630';
  const nothing = {
    clientId: undefined,
    tenantId: undefined,
    authorityHost: undefined,
    federatedTokenFile: undefined,
    clientSecret: undefined,
    identityResourceId: undefined,
  };
  const entry = (...args: string[]): object => ({
    apiVersion: beta,
    args: ['get-token', ...args],
    command: 'kubelogin',
    env: null,
    installHint: '\nkubelogin is not installed which is required to connect to AAD enabled cluster.\n',
    provideClusterInfo: false,
  });

  test.each<[string, object, object]>([
    [
      'workloadidentity',
      entry('--login', 'workloadidentity', '--server-id', serverId),
      { login: 'workloadidentity' },
    ],
    [
      'workloadidentity with an application of its own',
      entry(
        '-l',
        'workloadidentity',
        '--server-id',
        serverId,
        '--client-id',
        'c-1',
        '--tenant-id',
        't-1',
        '--authority-host',
        'https://login.microsoftonline.us/',
      ),
      {
        login: 'workloadidentity',
        clientId: 'c-1',
        tenantId: 't-1',
        authorityHost: 'https://login.microsoftonline.us/',
      },
    ],
    [
      'msi',
      entry('--login', 'msi', '--server-id', serverId, '--client-id', 'c-1'),
      { login: 'msi', clientId: 'c-1' },
    ],
    [
      'spn',
      entry(
        '--login',
        'spn',
        '--server-id',
        serverId,
        '--client-id',
        'c',
        '--tenant-id',
        't',
        '--environment',
        'AzureChinaCloud',
        '--client-secret',
        's',
      ),
      {
        login: 'spn',
        clientId: 'c',
        tenantId: 't',
        clientSecret: 's',
        authorityHost: 'https://login.chinacloudapi.cn/',
      },
    ],
    [
      'spn, whose secret is a variable',
      {
        ...entry('--login', 'spn', '--server-id', serverId, '--environment', 'AzurePublicCloud'),
        env: [
          { name: 'AAD_SERVICE_PRINCIPAL_CLIENT_ID', value: 'c' },
          { name: 'AAD_SERVICE_PRINCIPAL_CLIENT_SECRET', value: 's' },
        ],
      },
      { login: 'spn', clientId: 'c', clientSecret: 's' },
    ],
  ])('%s', (_what, exec, expected) => {
    expect(read(exec)).toEqual({ provider: 'aks', serverId, ...nothing, ...expected });
  });

  const wi = ['--login', 'workloadidentity', '--server-id', serverId];

  test.each<[string, object, RegExp]>([
    [
      'what az aks get-credentials writes, with the command that converts it',
      entry(
        '--environment',
        'AzurePublicCloud',
        '--server-id',
        serverId,
        '--client-id',
        '80faf920-1908-4b52-b5ef-a8e7bedfc67a',
        '--tenant-id',
        't',
        '--login',
        'devicecode',
      ),
      /"devicecode" needs a person.*kubelogin convert-kubeconfig --login workloadidentity/,
    ],
    [
      'a token for something else than AKS',
      entry(...wi.slice(0, 3), 'https://CANARY.azure.net'),
      /--server-id must be 6dae42f8/,
    ],
    // The federated token of the Pod is sent there.
    [
      'an authority of somebody else',
      entry(...wi, '--authority-host', 'https://CANARY/'),
      /--authority-host must be one of/,
    ],
    ['a cloud that does not exist', entry(...wi, '--environment', 'CANARY'), /--environment must be one of/],
    [
      'a file, in a kubeconfig that is no file',
      entry(...wi, '--federated-token-file', '/CANARY'),
      /--federated-token-file names a file/,
    ],
    ['a tenant that is a path', entry(...wi, '--tenant-id', 'x/../CANARY'), /--tenant-id is no ID/],
    ['a certificate', entry(...wi, '--client-certificate', 'CANARY'), /option "--client-certificate" is not/],
  ])('refused: %s', (_what, exec, problem) => {
    expect(read(exec)).toMatch(problem);
    expect(read(exec)).not.toContain('CANARY');
  });

  test('a federated token file is relative to the kubeconfig', () => {
    expect(read(entry(...wi, '--federated-token-file', 'token'), { baseDirectory: '/conf' })).toMatchObject({
      federatedTokenFile: '/conf/token',
    });
  });
});

describe('plugins', () => {
  const plugins = new Map([
    ['tsh', '/plugins/tsh'],
    ['aws', '/plugins/aws'],
  ]);
  const entry = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'tsh',
    args: ['kube', 'x'],
    interactiveMode: 'Never',
  };
  const plain = {
    provider: 'exec',
    apiVersion: entry.apiVersion,
    name: 'tsh',
    path: '/plugins/tsh',
    args: entry.args,
    env: [],
    clusterInfo: undefined,
  };

  test('are run when they are allowed, by the path that the operator gave', () => {
    expect(read(entry, { plugins })).toEqual(plain);
    expect(read({ ...entry, env: [{ name: 'A', value: 'b' }] }, { plugins })).toEqual({
      ...plain,
      env: [['A', 'b']],
    });
  });

  test('get the cluster when the entry asks for it', () => {
    const cluster = {
      extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } }],
    };
    expect(read({ ...entry, provideClusterInfo: true }, { plugins, cluster })).toEqual({
      ...plain,
      clusterInfo: { config: { audience: 'x' } },
    });
  });

  test('go before what is recognised, when the operator allows one of those names', () => {
    expect(read({ ...entry, command: 'aws', args: ['sso'] }, { plugins })).toMatchObject({
      path: '/plugins/aws',
    });
  });

  test.each<[string, object, RegExp]>([
    ['not allowed', { command: 'sh' }, /"sh".*not allowed: allow it with --allow-exec NAME=\/PATH/],
    ['another path of an allowed name', { command: '/tmp/tsh' }, /"\/tmp\/tsh".*not allowed/],
    ['an old protocol', { apiVersion: 'client.authentication.k8s.io/v1alpha1' }, /apiVersion of/],
    ['one that asks a person', { interactiveMode: 'Always' }, /nobody is here to answer/],
    ['a variable of the loader', { env: [{ name: 'LD_PRELOAD', value: 'CANARY' }] }, /"LD_PRELOAD"/],
    ['a variable of the shell', { env: [{ name: 'BASH_ENV', value: 'CANARY' }] }, /"BASH_ENV"/],
  ])('refused: %s', (_what, part, problem) => {
    expect(read({ ...entry, ...part }, { plugins })).toMatch(problem);
    expect(read({ ...entry, ...part }, { plugins })).not.toContain('CANARY');
  });

  test('refused: a token beside it, since only one can be sent', () => {
    expect(read(entry, { plugins, user: { token: 'x' } })).toMatch(/exec and other credentials/);
  });
});

describe('an auth-provider is refused with the way to replace it', () => {
  test.each([
    [
      'gcp',
      /auth-provider gcp, which kubectl gave up in version 1\.26.* gcloud container clusters get-credentials/,
    ],
    ['azure', /auth-provider azure, which kubectl gave up in version 1\.26.* kubelogin convert-kubeconfig/],
    ['oidc', /auth-provider oidc, which is refused: .*token of a ServiceAccount .*--allow-exec/],
    ['CANARY', /auth-provider that is not known, which is refused: use a token/],
  ])('%s', (name, problem) => {
    const config = { 'id-token': 'CANARY', 'refresh-token': 'CANARY', 'client-secret': 'CANARY' };
    const found = read(undefined, { user: { 'auth-provider': { name, config } } });
    expect(found).toMatch(problem);
    expect(found).not.toContain('CANARY');
  });

  test('only gcp and azure are said to be given up by kubectl, which still has oidc', () => {
    expect(read(undefined, { user: { 'auth-provider': { name: 'oidc' } } })).not.toMatch(/kubectl/);
  });
});

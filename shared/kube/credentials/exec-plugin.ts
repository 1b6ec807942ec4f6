import { Ajv } from 'ajv';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import { CredentialsError } from '../errors.ts';
import type { ExecSettings } from '../kubeconfig/issuer-settings.ts';
import type { ConnectionSettings } from '../kubeconfig/spec.ts';
import { type PluginResult, runPlugin, stdoutBytes } from './exec-process.ts';
import { readMaterial } from './given.ts';
import type { Issued, Issuer } from './issuers.ts';
import { type CredentialEnvironment, pluginVariables } from './variables.ts';

/** The part of an ExecCredential that a plugin answers with. */
interface ExecCredential {
  readonly apiVersion: string;
  readonly kind: 'ExecCredential';
  readonly status: {
    readonly token?: string | null;
    readonly clientCertificateData?: string | null;
    readonly clientKeyData?: string | null;
    readonly expirationTimestamp?: string | null;
  };
}

const optionalText = { type: ['string', 'null'] };

const execCredentialSchema = {
  type: 'object',
  required: ['apiVersion', 'kind', 'status'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { const: 'ExecCredential' },
    status: {
      type: 'object',
      properties: {
        token: optionalText,
        clientCertificateData: optionalText,
        clientKeyData: optionalText,
        expirationTimestamp: optionalText,
      },
    },
  },
};

/** Credentials that a plugin prints, by the ExecCredential protocol of client.authentication.k8s.io. */
export function execIssuer(
  plugin: ExecSettings,
  settings: ConnectionSettings,
  options: { readonly clock: Clock; readonly logger: Logger; readonly environment: CredentialEnvironment },
): Issuer {
  // Compiled for who needs it: that takes milliseconds.
  const isExecCredential = new Ajv({ allowUnionTypes: true }).compile<ExecCredential>(execCredentialSchema);
  return async ({ signal }) => {
    const result = await runPlugin({
      path: plugin.path,
      args: plugin.args,
      env: {
        ...inherited(options.environment),
        ...Object.fromEntries(plugin.env),
        KUBERNETES_EXEC_INFO: JSON.stringify(await execInfo(plugin, settings)),
      },
      signal,
      clock: options.clock,
    });
    if (result.ended !== 'well') {
      // Of a plugin that ends well it is left out: some show there what they have obtained.
      if (result.stderr !== '') {
        options.logger.warn('exec plugin failed and wrote to its standard error', {
          server: settings.server,
          plugin: plugin.name,
          stderr: result.stderr,
        });
      }
      throw new CredentialsError(problemOf(plugin, result));
    }
    const answer = parsed(result.stdout);
    return readAnswer(plugin, isExecCredential(answer) ? answer : undefined);
  };
}

/** What to grant when the API server refuses the identity. */
export function execAdvice({ name }: ExecSettings, identity: string | undefined): string {
  return `check what the exec plugin "${name}" is given${identity === undefined ? '' : ` and that ${identity} may use the cluster`}`;
}

/** The content of KUBERNETES_EXEC_INFO. The certificate authority can be in a file. */
async function execInfo(plugin: ExecSettings, settings: ConnectionSettings): Promise<object> {
  const { apiVersion, clusterInfo } = plugin;
  const spec = { interactive: false };
  if (clusterInfo === undefined) {
    return { apiVersion, kind: 'ExecCredential', spec };
  }
  const { ca } = await readMaterial(settings);
  const cluster = {
    server: settings.server,
    'tls-server-name': settings.tlsServerName,
    'insecure-skip-tls-verify': settings.insecureSkipTlsVerify,
    'certificate-authority-data': ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
    'proxy-url': settings.proxyUrl,
    config: clusterInfo.config,
  };
  return { apiVersion, kind: 'ExecCredential', spec: { ...spec, cluster } };
}

function inherited(environment: CredentialEnvironment): Record<string, string> {
  return Object.fromEntries(
    pluginVariables.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Nothing of the answer appears in a problem: it can be a credential in the wrong place. */
function readAnswer(plugin: ExecSettings, answer: ExecCredential | undefined): Issued {
  const fail = (what: string): never => {
    throw new CredentialsError(`the exec plugin "${plugin.name}" ${what}`);
  };
  if (answer === undefined) {
    return fail('printed no ExecCredential with a status');
  }
  if (answer.apiVersion !== plugin.apiVersion) {
    return fail(`answered in another apiVersion than ${plugin.apiVersion}, which the kubeconfig names`);
  }
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = answer.status;
  const hasToken = typeof token === 'string' && token !== '';
  const hasCertificate = Boolean(clientCertificateData);
  if (hasCertificate !== Boolean(clientKeyData)) {
    return fail('printed a client certificate or its key without the other');
  }
  if (!hasToken && !hasCertificate) {
    return fail('printed neither a token nor a client certificate');
  }
  const expiresAt = expirationTimestamp ? Date.parse(expirationTimestamp) : undefined;
  if (Number.isNaN(expiresAt)) {
    return fail('printed an expirationTimestamp that is no RFC 3339 time');
  }
  return {
    ...(hasToken ? { token: token.trim() } : {}),
    ...(clientCertificateData && clientKeyData
      ? { certificate: clientCertificateData, key: clientKeyData }
      : {}),
    expiresAt,
    identity: undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    return undefined;
  }
}

function problemOf({ name, path }: ExecSettings, result: Exclude<PluginResult, { ended: 'well' }>): string {
  const plugin = `the exec plugin "${name}"`;
  switch (result.ended) {
    case 'not started':
      return `${plugin} cannot be started: ${path} (${result.code}); bring its program by an init container or an image volume`;
    case 'too much output':
      return `${plugin} printed more than ${stdoutBytes / 1024} KiB and was ended`;
    case 'aborted':
      return `${plugin} did not answer in time and was ended`;
    case 'exit':
      return `${plugin} failed (${result.code === undefined ? `ended by ${result.signal ?? 'a signal'}` : `exit code ${result.code}`}); the log has what it wrote to its standard error`;
  }
}

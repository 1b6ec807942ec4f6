import { isRecord } from '../../is-record.ts';
import { readAks } from './aks-form.ts';
import type { ExecFields } from './document.ts';
import { readEks } from './eks-form.ts';
import { readGke } from './gke-form.ts';
import { type ExecSettings, execVersions, type IssuerSettings } from './issuer-settings.ts';
import { type ExecEntry, quotedName } from './plugin-options.ts';

/** Plugins that the operator allows: what a kubeconfig calls them, and where their programs are. */
export type AllowedPlugins = ReadonlyMap<string, string>;

export interface ExecSurroundings {
  readonly plugins: AllowedPlugins;
  /** What relative paths are relative to; undefined where the kubeconfig is no file, and files are refused. */
  readonly baseDirectory: string | undefined;
  /** The cluster's server, where its URL is sound. */
  readonly server: string | undefined;
  /** What the cluster entry has for plugins. */
  readonly clusterConfig: unknown;
}

/**
 * Who issues the credentials of an `exec` entry. A plugin that the operator allowed is run; what the tools of EKS, GKE
 * and AKS write is recognised, and nothing is run; all else is refused.
 */
export function readExec(
  fields: ExecFields,
  surroundings: ExecSurroundings,
  problems: string[],
): IssuerSettings | undefined {
  const entry = execEntry(fields);
  const path = surroundings.plugins.get(entry.command);
  if (path !== undefined) {
    return allowedPlugin(entry, path, surroundings.clusterConfig, problems);
  }
  // On the machine that wrote the kubeconfig the tool can lie anywhere; nothing of it is run here.
  const tool = (/[^/\\]*$/.exec(entry.command)?.[0] ?? '').replace(/\.exe$/i, '');
  switch (tool) {
    case 'aws':
    case 'aws-iam-authenticator':
      return readEks(tool, entry, surroundings.server, problems);
    case 'gke-gcloud-auth-plugin':
      return readGke(entry, problems);
    case 'kubelogin':
      return readAks(entry, surroundings.baseDirectory, problems);
    default:
      problems.push(
        `it uses the exec plugin ${quotedName(entry.command)}, which would run a command here and is not allowed: allow it with --allow-exec NAME=/PATH of the controller, or use a token, a token file or a client certificate`,
      );
      return undefined;
  }
}

/** What to use in place of an `auth-provider`. Its name is repeated only where it is known, since any text can be there. */
export function authProviderProblem(fields: unknown): string {
  switch (isRecord(fields) ? fields['name'] : undefined) {
    case 'gcp':
      return 'it uses the auth-provider gcp, which kubectl gave up in version 1.26: write it anew with gcloud container clusters get-credentials CLUSTER';
    case 'azure':
      return 'it uses the auth-provider azure, which kubectl gave up in version 1.26: convert it with kubelogin convert-kubeconfig --login workloadidentity';
    case 'oidc':
      return 'it uses the auth-provider oidc, which is refused: use the token of a ServiceAccount of that cluster, a token file, or an exec plugin that needs no person, allowed with --allow-exec NAME=/PATH of the controller';
    default:
      return 'it uses an auth-provider that is not known, which is refused: use a token, a token file or a client certificate';
  }
}

function execEntry(fields: ExecFields): ExecEntry {
  return {
    apiVersion: fields.apiVersion ?? undefined,
    command: fields.command,
    args: fields.args ?? [],
    env: new Map(fields.env?.map(({ name, value }) => [name, value])),
    provideClusterInfo: fields.provideClusterInfo ?? false,
    interactiveMode: fields.interactiveMode ?? undefined,
  };
}

/**
 * Variables that make an interpreter or the loader run something else than the operator's program. The list cannot be complete
 * for every program: the documentation says to allow only plugins whose arguments and variables may come from a kubeconfig.
 */
const hijacking =
  /^(LD_|DYLD_|BASH_|PYTHON|PERL|RUBY|NODE_|JAVA_|GLIBC_|GCONV_|KUBERNETES_EXEC_INFO$|(ENV|PATH|HOME|IFS|SHELLOPTS|BASHOPTS|PS4|_JAVA_OPTIONS|JDK_JAVA_OPTIONS)$)/i;

function allowedPlugin(
  entry: ExecEntry,
  path: string,
  clusterConfig: unknown,
  problems: string[],
): ExecSettings | undefined {
  const before = problems.length;
  const name = quotedName(entry.command);
  const apiVersion = execVersions.find((version) => version === entry.apiVersion);
  if (apiVersion === undefined) {
    problems.push(`its exec plugin ${name} must have an apiVersion of ${execVersions.join(' or ')}`);
  }
  if (entry.interactiveMode === 'Always') {
    problems.push(`its exec plugin ${name} has interactiveMode Always, and nobody is here to answer`);
  }
  for (const variable of entry.env.keys()) {
    if (hijacking.test(variable)) {
      problems.push(
        `its exec plugin ${name} sets the variable ${quotedName(variable)}, which could make it run something else: take it out`,
      );
    }
  }
  if ([...entry.args, ...[...entry.env].flat()].some((text) => text.includes('\0'))) {
    problems.push(`its exec plugin ${name} has a NUL character in args or env`);
  }
  if (apiVersion === undefined || problems.length > before) {
    return undefined;
  }
  return {
    provider: 'exec',
    apiVersion,
    name: entry.command,
    path,
    args: entry.args,
    env: [...entry.env],
    clusterInfo: entry.provideClusterInfo ? { config: clusterConfig } : undefined,
  };
}

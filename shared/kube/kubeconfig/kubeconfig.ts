import { readCluster } from './cluster.ts';
import { type Entry, type KubeconfigDocument, KubeconfigError, readKubeconfigDocument } from './document.ts';
import type { AllowedPlugins } from './exec.ts';
import { type ConnectionSpec, connectionSpec } from './spec.ts';
import { readUser } from './user.ts';

export { KubeconfigError } from './document.ts';

/** A context: how to connect, or all that is wrong with it, one sentence each. */
export type ContextEntry = {
  readonly name: string;
  readonly namespace?: string | undefined;
  /** Normalised URL, known also for many a context that cannot be used. */
  readonly server?: string | undefined;
} & ({ readonly connection: ConnectionSpec } | { readonly problem: string });

export interface Kubeconfig {
  readonly currentContext: string | undefined;
  /** In the order of the document, one for each name. */
  readonly contexts: readonly ContextEntry[];
}

export interface KubeconfigOptions {
  /** What relative paths are relative to: the kubeconfig's own directory. Undefined where it did not come from a file: then files are refused. */
  readonly baseDirectory: string | undefined;
  /** Plugins that may be run; none when absent. */
  readonly plugins?: AllowedPlugins | undefined;
}

/**
 * All contexts that can be named in an annotation, each judged by itself. Pure: files that it names are read when a connection
 * is made. Throws KubeconfigError where the document as a whole cannot be used.
 */
export function parseKubeconfig(text: string, options: KubeconfigOptions): Kubeconfig {
  const document = readKubeconfigDocument(text);
  return {
    currentContext: document.currentContext,
    contexts: [...document.contexts.keys()].map((name) => {
      const unnameable = nameProblem(name);
      const { problems, ...entry } = readContext(document, name, options);
      return withOutcome(entry, unnameable === undefined ? problems : [unnameable, ...problems]);
    }),
  };
}

/** The connection of one context, the current one by default. Throws KubeconfigError with everything that is wrong. */
export function specFromKubeconfig(
  text: string,
  options: KubeconfigOptions & { readonly context?: string | undefined },
): ConnectionSpec {
  const document = readKubeconfigDocument(text);
  const names = [...document.contexts.keys()].map((name) => JSON.stringify(name)).join(', ');
  const name = options.context ?? document.currentContext;
  if (name === undefined) {
    throw new KubeconfigError([`it has no current-context: set it to one of ${names}`]);
  }
  if (!document.contexts.has(name)) {
    const asked = options.context === undefined ? 'its current-context' : 'the context';
    throw new KubeconfigError([`${asked} ${JSON.stringify(name)} does not exist: there are ${names}`]);
  }
  const { problems, connection } = readContext(document, name, options);
  if (problems.length > 0 || connection === undefined) {
    throw new KubeconfigError(problems);
  }
  return connection;
}

/** The cluster's entry for plugins, by the ExecCredential protocol. */
const clusterExtension = 'client.authentication.k8s.io/exec';

interface ReadContext {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly server: string | undefined;
  readonly connection: ConnectionSpec | undefined;
  readonly problems: readonly string[];
}

function readContext(
  document: KubeconfigDocument,
  name: string,
  { baseDirectory, plugins = new Map() }: KubeconfigOptions,
): ReadContext {
  const problems: string[] = [];
  const context = take(document.contexts.get(name), problems);
  if (context === undefined) {
    return { name, namespace: undefined, server: undefined, connection: undefined, problems };
  }
  const { namespace } = context;
  if (namespace !== undefined && !isNamespace(namespace)) {
    problems.push('its namespace is not a name that a namespace can have');
  }
  const cluster = lookUp('cluster', context.cluster, document.clusters, problems);
  const user =
    context.user === undefined
      ? missing('it names no user: add one, with credentials for the cluster', problems)
      : lookUp('user', context.user, document.users, problems);
  const target = cluster === undefined ? undefined : readCluster(cluster, baseDirectory);
  const identity =
    user === undefined
      ? undefined
      : readUser(user, {
          baseDirectory,
          plugins,
          server: target?.settings.server,
          clusterConfig: cluster?.extensions?.find(({ name }) => name === clusterExtension)?.extension,
        });
  problems.push(
    ...(target?.problems ?? []).map(
      (problem) => `the cluster ${JSON.stringify(context.cluster)}: ${problem}`,
    ),
    ...(identity?.problems ?? []).map((problem) => `the user ${JSON.stringify(context.user)}: ${problem}`),
  );
  const server = target?.settings.server;
  return {
    name,
    namespace,
    server,
    connection:
      problems.length > 0 || server === undefined || identity === undefined
        ? undefined
        : connectionSpec({ ...target?.settings, ...identity.settings, server }),
    problems,
  };
}

function withOutcome(
  { connection, ...entry }: Omit<ReadContext, 'problems'>,
  problems: readonly string[],
): ContextEntry {
  return connection === undefined || problems.length > 0
    ? { ...entry, problem: problems.join('; ') }
    : { ...entry, connection };
}

function lookUp<T>(
  kind: string,
  name: string,
  entries: ReadonlyMap<string, Entry<T>>,
  problems: string[],
): T | undefined {
  const entry = entries.get(name);
  return entry === undefined
    ? missing(`the ${kind} ${JSON.stringify(name)} does not exist: add it or correct the context`, problems)
    : take(entry, problems);
}

function take<T>(entry: Entry<T> | undefined, problems: string[]): T | undefined {
  if (entry !== undefined && 'fields' in entry) {
    return entry.fields;
  }
  problems.push(...(entry?.problems ?? []));
  return undefined;
}

function missing(problem: string, problems: string[]): undefined {
  problems.push(problem);
  return undefined;
}

/** Names are separated by commas and trimmed in an annotation. */
function nameProblem(name: string): string | undefined {
  return name === '' || name.includes(',') || name.trim() !== name
    ? 'its name cannot be written in an annotation: a name is not empty and has no comma and no blank at either end'
    : undefined;
}

/** An RFC 1123 label. */
function isNamespace(name: string): boolean {
  return name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name);
}

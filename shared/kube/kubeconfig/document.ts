import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { LineCounter, parseDocument } from 'yaml';

/** A kubeconfig, or the one context of it that was asked for, cannot be used. Every problem is named; no credential is. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the kubeconfig cannot be used: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

export interface ContextFields {
  readonly cluster: string;
  readonly user?: string;
  readonly namespace?: string;
}

export interface ClusterFields {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
  readonly extensions?: readonly { readonly name?: unknown; readonly extension?: unknown }[];
}

export interface UserFields {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  /** How other clients spell `tokenFile`. */
  readonly 'token-file'?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly 'as-uid'?: string;
  readonly 'as-groups'?: readonly string[];
  readonly 'as-user-extra'?: Readonly<Record<string, readonly string[]>>;
  readonly exec?: ExecFields;
  readonly 'auth-provider'?: unknown;
}

/** A plugin. null means the same as absent. */
export interface ExecFields {
  readonly apiVersion?: string | null;
  readonly command: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly provideClusterInfo?: boolean | null;
  readonly interactiveMode?: string | null;
}

/** An entry by its name: its fields, or what is wrong with it in sentences. */
export type Entry<T> = { readonly fields: T } | { readonly problems: readonly string[] };

export interface KubeconfigDocument {
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, Entry<ContextFields>>;
  readonly clusters: ReadonlyMap<string, Entry<ClusterFields>>;
  readonly users: ReadonlyMap<string, Entry<UserFields>>;
}

const text = { type: 'string' };
const optionalText = { type: ['string', 'null'] };
const optionalList = { type: ['array', 'null'] };

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });

const isDocument = ajv.compile<{
  'current-context'?: string | null;
  contexts: unknown[];
  clusters?: unknown[] | null;
  users?: unknown[] | null;
}>({
  type: 'object',
  required: ['contexts'],
  properties: {
    'current-context': { type: ['string', 'null'] },
    contexts: { type: 'array' },
    clusters: optionalList,
    users: optionalList,
  },
});

const isContext = ajv.compile<ContextFields>({
  type: 'object',
  required: ['cluster'],
  properties: { cluster: text, user: text, namespace: text },
});

const isCluster = ajv.compile<ClusterFields>({
  type: 'object',
  properties: {
    server: text,
    'certificate-authority': text,
    'certificate-authority-data': text,
    'insecure-skip-tls-verify': { type: 'boolean' },
    'tls-server-name': text,
    'proxy-url': text,
    extensions: { type: 'array', items: { type: 'object' } },
  },
});

const isUser = ajv.compile<UserFields>({
  type: 'object',
  properties: {
    'client-certificate': text,
    'client-certificate-data': text,
    'client-key': text,
    'client-key-data': text,
    token: text,
    tokenFile: text,
    'token-file': text,
    username: text,
    password: text,
    as: text,
    'as-uid': text,
    'as-groups': { type: 'array', items: text },
    'as-user-extra': { type: 'object', additionalProperties: { type: 'array', items: text } },
    exec: {
      type: 'object',
      required: ['command'],
      properties: {
        apiVersion: optionalText,
        command: { type: 'string', minLength: 1 },
        args: { type: ['array', 'null'], items: text },
        env: {
          type: ['array', 'null'],
          items: { type: 'object', required: ['name', 'value'], properties: { name: text, value: text } },
        },
        provideClusterInfo: { type: ['boolean', 'null'] },
        interactiveMode: optionalText,
      },
    },
  },
});

/**
 * The parts of a kubeconfig by name. Throws KubeconfigError where the whole cannot be used; a bad entry stays an
 * entry with problems, because others do not need it. client-node's own loader gives up at the first
 * bad entry or drops it without a word, and reads token files while it parses.
 */
export function readKubeconfigDocument(source: string): KubeconfigDocument {
  const document = parseYaml(source);
  if (!isRecord(document)) {
    throw new KubeconfigError([
      'it is no kubeconfig: a kubeconfig is a YAML mapping with contexts, clusters and users',
    ]);
  }
  const contexts = document['contexts'] ?? [];
  if (Array.isArray(contexts) && contexts.length === 0) {
    throw new KubeconfigError(['it has no contexts: add at least one, with its cluster and its user']);
  }
  if (!isDocument(document)) {
    throw new KubeconfigError(sentences('the document', isDocument.errors));
  }
  return {
    currentContext: document['current-context'] || undefined,
    contexts: readEntries('contexts', 'context', document.contexts, isContext),
    clusters: readEntries('clusters', 'cluster', document.clusters ?? [], isCluster),
    users: readEntries('users', 'user', document.users ?? [], isUser),
  };
}

function parseYaml(source: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(source, {
    lineCounter: lines,
    merge: true,
    // Its pretty messages quote the line, which can be a key or a token.
    prettyErrors: false,
    // A name or token of digits is text here, as it is for kubectl.
    customTags: (tags) =>
      tags.filter((tag) => typeof tag === 'string' || !/:(int|float|timestamp)$/.test(tag.tag)),
  });
  if (document.errors.length > 0) {
    throw new KubeconfigError(
      document.errors.map(
        ({ code, pos }) =>
          `not YAML at line ${lines.linePos(pos[0]).line} (${code.toLowerCase().replaceAll('_', ' ')})`,
      ),
    );
  }
  try {
    return document.toJS();
  } catch {
    throw new KubeconfigError(['not YAML that can be resolved: an alias has no anchor, or too many']);
  }
}

function readEntries<T>(
  list: string,
  key: string,
  items: readonly unknown[],
  isFields: ValidateFunction<T>,
): Map<string, Entry<T>> {
  const entries = new Map<string, Entry<T>>();
  for (const [index, item] of items.entries()) {
    const place = `${list}[${index}]`;
    if (!isRecord(item) || typeof item['name'] !== 'string') {
      entries.set(place, { problems: [`${place} has no name`] });
      continue;
    }
    const name = item['name'];
    if (entries.has(name)) {
      entries.set(name, { problems: [`the ${key} ${JSON.stringify(name)} is defined more than once`] });
      continue;
    }
    const fields = withoutEmpty(item[key] ?? {});
    entries.set(
      name,
      isFields(fields)
        ? { fields }
        : { problems: sentences(`the ${key} ${JSON.stringify(name)}`, isFields.errors) },
    );
  }
  return entries;
}

/** In a kubeconfig, null and '' mean the same as a key that is not there. */
function withoutEmpty(value: unknown): unknown {
  return isRecord(value)
    ? Object.fromEntries(Object.entries(value).filter(([, part]) => part !== null && part !== ''))
    : value;
}

/** ajv's messages name the field and what is allowed, never the value. */
function sentences(subject: string, errors: readonly ErrorObject[] | null | undefined): string[] {
  return (errors ?? []).map(({ instancePath, message }) =>
    instancePath === ''
      ? `${subject} ${message ?? 'is wrong'}`
      : `${subject}: ${instancePath.slice(1).replaceAll('/', '.')} ${message ?? 'is wrong'}`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

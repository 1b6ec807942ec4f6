import { createHash } from 'node:crypto';

/**
 * A cluster behind the cluster proxy. With `namespace` it is a virtual cluster: a part of a control plane that has an
 * identity of its own and consists of one namespace. Without, it is the control plane as it is.
 */
export interface ProxiedCluster {
  /** The first segment of its paths: `https://127.0.0.1:PORT/NAME`. */
  readonly name: string;
  /** Index of the control plane behind it. */
  readonly upstream: number;
  readonly namespace?: NamespaceNames;
}

/** Both names have the same length, so that bodies keep their length when one replaces the other. */
export interface NamespaceNames {
  /** What clients of the virtual cluster see. */
  readonly shown: string;
  /** What it is called on the control plane. */
  readonly real: string;
}

/** What becomes of a request: the proxy answers it itself, or it goes on to the control plane under `path`. */
export type Route =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'forward'; readonly path: string };

const ownNamespaces = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);
const namespacePath = /^\/api\/v1\/namespaces\/([^/?]+)(?:\/([^?]+))?(?:\?|$)/;
const clusterWidePath = /^\/api\/v1\/(configmaps|secrets|events)(?=\?|$)/;

/**
 * @param path path and query behind the cluster's name, beginning with a slash
 * @param accept the Accept header: a metadata-only read gets a metadata-only answer
 */
export function routeRequest(cluster: ProxiedCluster, method: string, path: string, accept: string): Route {
  const names = cluster.namespace;
  if (names === undefined) {
    return { kind: 'forward', path };
  }
  const [, namespace, rest] = namespacePath.exec(path) ?? [];
  if (rest === 'configmaps/kube-root-ca.crt' && method === 'GET') {
    const data = { 'ca.crt': `certificate authority of ${cluster.name}` };
    return answer(cluster, 'ConfigMap', 'kube-root-ca.crt', namespace, accept, { data });
  }
  if (namespace !== undefined && namespace !== names.shown) {
    return rest === undefined && method === 'GET' && ownNamespaces.has(namespace)
      ? answer(cluster, 'Namespace', namespace, undefined, accept, { status: { phase: 'Active' } })
      : notFound(namespace);
  }
  const inNamespace = path.replace(clusterWidePath, `/api/v1/namespaces/${names.shown}/$1`);
  return { kind: 'forward', path: inNamespace.replaceAll(names.shown, names.real) };
}

/** A uid that is always the same for the object of that name in that virtual cluster. */
export function virtualUid(cluster: string, object: string): string {
  const hex = createHash('sha256').update(`${cluster}/${object}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function answer(
  cluster: ProxiedCluster,
  kind: string,
  name: string,
  namespace: string | undefined,
  accept: string,
  content: object,
): Route {
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: virtualUid(cluster.name, `${namespace ?? ''}/${name}`),
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  const object = accept.includes('as=PartialObjectMetadata')
    ? { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
    : { kind, apiVersion: 'v1', metadata, ...content };
  return { kind: 'answer', status: 200, body: JSON.stringify(object) };
}

function notFound(namespace: string): Route {
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `namespaces "${namespace}" not found`,
    reason: 'NotFound',
    details: { name: namespace, kind: 'namespaces' },
    code: 404,
  };
  return { kind: 'answer', status: 404, body: JSON.stringify(status) };
}

/**
 * Replaces a name by another of the same length in a stream of bytes, in place. A name that is cut in two by the end
 * of a chunk is found, too: its beginning is held back until the next chunk or the end.
 */
export class NameReplacer {
  readonly #from: Buffer;
  readonly #to: Buffer;
  #held: Buffer = Buffer.alloc(0);

  constructor(from: string, to: string) {
    this.#from = Buffer.from(from);
    this.#to = Buffer.from(to);
    if (this.#from.length !== this.#to.length) {
      throw new Error(`${from} and ${to} differ in length`);
    }
  }

  /** Takes the next chunk, which it changes, and yields what can go on. */
  push(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (let at = bytes.indexOf(this.#from); at !== -1; at = bytes.indexOf(this.#from, at)) {
      this.#to.copy(bytes, at);
      at += this.#to.length;
    }
    const complete = bytes.length - this.#begunName(bytes);
    this.#held = Buffer.from(bytes.subarray(complete));
    return bytes.subarray(0, complete);
  }

  /** What was held back. */
  end(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  /** Length of the longest end of `bytes` that is a beginning of the name. */
  #begunName(bytes: Buffer): number {
    for (let length = Math.min(this.#from.length - 1, bytes.length); length > 0; length--) {
      if (bytes.subarray(bytes.length - length).equals(this.#from.subarray(0, length))) {
        return length;
      }
    }
    return 0;
  }
}

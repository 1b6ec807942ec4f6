import { stringify } from 'yaml';

/** How a context proves who it is. */
export type ContextUser =
  | { readonly token: string }
  | { readonly tokenFile: string }
  | { readonly certPem: string; readonly keyPem: string };

/** What a kubeconfig needs to know of a cluster; a ControlPlane is one. */
export interface ClusterAddress {
  readonly url: string;
  readonly caPem: string;
  readonly adminToken: string;
}

/** One context of a kubeconfig, with a cluster and a user entry of its own. */
export interface ContextSpec {
  readonly name: string;
  readonly cluster: ClusterAddress;
  readonly namespace?: string;
  /** Instead of the cluster's own URL: another spelling of it, or a proxy's. */
  readonly server?: string;
  /** The cluster's admin, by token, when absent. */
  readonly user?: ContextUser;
  /** Added to the cluster entry, over what is there, such as `tls-server-name`; undefined takes a key away. */
  readonly clusterFields?: Readonly<Record<string, unknown>>;
  /** Added to the user entry, over what is there, such as `as`; undefined takes a key away. */
  readonly userFields?: Readonly<Record<string, unknown>>;
}

/** A kubeconfig as YAML. The first context is the current one. */
export function kubeconfig(contexts: readonly ContextSpec[]): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': contexts[0]?.name ?? '',
    clusters: contexts.map((context) => ({
      name: context.name,
      cluster: {
        server: context.server ?? context.cluster.url,
        'certificate-authority-data': base64(context.cluster.caPem),
        ...context.clusterFields,
      },
    })),
    users: contexts.map((context) => ({
      name: context.name,
      user: {
        ...credentials(context.user ?? { token: context.cluster.adminToken }),
        ...context.userFields,
      },
    })),
    contexts: contexts.map(({ name, namespace }) => ({
      name,
      context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) },
    })),
  });
}

function credentials(user: ContextUser): Record<string, string> {
  if ('token' in user) {
    return { token: user.token };
  }
  if ('tokenFile' in user) {
    return { tokenFile: user.tokenFile };
  }
  return { 'client-certificate-data': base64(user.certPem), 'client-key-data': base64(user.keyPem) };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

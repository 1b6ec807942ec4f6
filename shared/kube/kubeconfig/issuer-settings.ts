/** Who issues a context's credentials, as its `exec` entry says it. Part of a connection's settings. */
export type IssuerSettings = EksSettings | GkeSettings | AksSettings | ExecSettings;

/** The options of `aws eks get-token` and `aws-iam-authenticator token`. */
export interface EksSettings {
  readonly provider: 'eks';
  /** Name of the cluster, or its ID on an Outpost: what the token is good for. */
  readonly clusterId: string;
  readonly region: string;
  /** Assumed before the token is signed. */
  readonly roleArn: string | undefined;
  readonly sessionName: string | undefined;
  readonly externalId: string | undefined;
  /** A profile of the controller's own AWS configuration. */
  readonly profile: string | undefined;
}

/** `gke-gcloud-auth-plugin` has no options: it takes the application default credentials. */
export interface GkeSettings {
  readonly provider: 'gke';
}

export type AksLogin = 'workloadidentity' | 'msi' | 'spn';

/** The options of `kubelogin get-token`. */
export interface AksSettings {
  readonly provider: 'aks';
  readonly login: AksLogin;
  /** Application ID of the API server's side: what the token is good for. */
  readonly serverId: string;
  readonly clientId: string | undefined;
  readonly tenantId: string | undefined;
  /** `https://HOST/` of the cloud; undefined where the kubeconfig does not name one. */
  readonly authorityHost: string | undefined;
  /** Absolute path. */
  readonly federatedTokenFile: string | undefined;
  readonly clientSecret: string | undefined;
  readonly identityResourceId: string | undefined;
}

/** The versions of the ExecCredential protocol that plugins speak. */
export const execVersions = [
  'client.authentication.k8s.io/v1',
  'client.authentication.k8s.io/v1beta1',
] as const;

/** A plugin that the operator allowed. */
export interface ExecSettings {
  readonly provider: 'exec';
  readonly apiVersion: (typeof execVersions)[number];
  /** As the kubeconfig calls it. */
  readonly name: string;
  /** As the operator allowed it: absolute. */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  /** Present where the plugin gets the cluster in KUBERNETES_EXEC_INFO; `config` is the cluster's own entry for plugins. */
  readonly clusterInfo: { readonly config: unknown } | undefined;
}

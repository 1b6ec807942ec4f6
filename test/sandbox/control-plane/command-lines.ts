/**
 * The command lines of one control plane's two processes. Both run in the control plane's folder, and paths
 * are relative to it: a socket's path may have about 100 characters only, which an absolute one can exceed.
 */

/** Files in the control plane's folder. */
export const files = {
  ca: 'ca.crt',
  servingCert: 'serving.crt',
  servingKey: 'serving.key',
  serviceAccountKey: 'service-account.key',
  tokens: 'tokens.csv',
  adminKubeconfig: 'admin.kubeconfig',
  auditPolicy: 'audit-policy.yaml',
  auditLog: 'audit.log',
  /** A folder. */
  etcdData: 'etcd',
  tokenReviews: 'token-reviews.kubeconfig',
} as const;

// Sockets in the folder instead of ports: no other etcd can ever be reached by mistake. etcd wants "host:port".
/** The socket's file in the control plane's folder. */
export const etcdSocket = 'client:1';
const clientSocket = `unix://${etcdSocket}`;
const peerSocket = 'unix://peer:1';

export function etcdArguments(): readonly string[] {
  return [
    '--name=sandbox',
    `--data-dir=${files.etcdData}`,
    // The data is thrown away, so it need not survive a power cut.
    '--unsafe-no-fsync',
    `--listen-client-urls=${clientSocket}`,
    `--advertise-client-urls=${clientSocket}`,
    `--listen-peer-urls=${peerSocket}`,
    `--initial-advertise-peer-urls=${peerSocket}`,
    `--initial-cluster=sandbox=${peerSocket}`,
    '--log-level=warn',
  ];
}

/**
 * Admission plugins stay at their defaults: webhooks and Pod Security work as on any cluster. With `audit`, every
 * request is in the audit log by the time it is answered.
 */
export function apiServerArguments(
  port: number,
  {
    audit = false,
    tokenReviews = false,
    flags = [],
  }: {
    readonly audit?: boolean;
    readonly tokenReviews?: boolean;
    readonly flags?: readonly string[] | undefined;
  } = {},
): readonly string[] {
  return [
    `--etcd-servers=${clientSocket}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    // An endpoint on the loopback address is refused; the reconciler would complain for ever.
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.0.0.0/24',
    `--tls-cert-file=${files.servingCert}`,
    `--tls-private-key-file=${files.servingKey}`,
    `--client-ca-file=${files.ca}`,
    `--token-auth-file=${files.tokens}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.serviceAccountKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    '--authorization-mode=RBAC',
    ...(audit
      ? [
          `--audit-policy-file=${files.auditPolicy}`,
          `--audit-log-path=${files.auditLog}`,
          '--audit-log-mode=blocking',
        ]
      : []),
    ...(tokenReviews
      ? [
          `--authentication-token-webhook-config-file=${files.tokenReviews}`,
          '--authentication-token-webhook-version=v1',
          // There is a second cache, of 10 s, that cannot be changed.
          '--authentication-token-webhook-cache-ttl=0s',
        ]
      : []),
    ...flags,
  ];
}

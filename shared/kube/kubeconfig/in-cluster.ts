import { isIPv6 } from 'node:net';
import { KubeconfigError } from './document.ts';
import { normaliseServerUrl, ServerUrlError } from './server-url.ts';
import { type ConnectionSpec, connectionSpec } from './spec.ts';

/** Where the kubelet mounts a ServiceAccount into a pod. */
export const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The connection that a pod's ServiceAccount gives: token and certificate authority are read from the mount when
 * they are needed, and again as the kubelet renews them. `host` and `port` are the values of KUBERNETES_SERVICE_HOST and
 * KUBERNETES_SERVICE_PORT. Throws KubeconfigError where this is not a pod.
 */
export function inClusterSpec(pod: {
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly directory?: string | undefined;
}): ConnectionSpec {
  const { host, port, directory = serviceAccountDirectory } = pod;
  if (host === undefined || host === '' || port === undefined || port === '') {
    throw new KubeconfigError([
      'KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set, so this is not a pod: name a kubeconfig file',
    ]);
  }
  try {
    return connectionSpec({
      server: normaliseServerUrl(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
      certificateAuthority: { file: `${directory}/ca.crt` },
      token: { file: `${directory}/token` },
    });
  } catch (error) {
    if (error instanceof ServerUrlError) {
      throw new KubeconfigError([
        'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not host and port',
      ]);
    }
    throw error;
  }
}

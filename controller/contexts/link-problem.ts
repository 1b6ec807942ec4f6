import type { CredentialState } from '../../shared/kube/credentials/credential-keeper.ts';
import { CredentialsError, isApiError, TransportError } from '../../shared/kube/errors.ts';
import { SourceSilentError } from './probe.ts';

/** The cluster answers, and the credentials may read no uid that says which cluster it is. */
export class UnidentifiedError extends Error {
  override readonly name = 'UnidentifiedError';

  /** `namespace`: the context's own. */
  constructor(namespace: string) {
    super(
      `its API server does not say which cluster it is: grant get on namespace "kube-system" or "${namespace}"`,
    );
  }
}

/** True where nothing but other credentials, or rights for these, can help. */
export function isOfCredentials(error: unknown): boolean {
  return (
    isApiError(error, 'Unauthorized') ||
    (error instanceof TransportError &&
      (error.reason === 'CredentialsUnusable' || error.reason === 'ClientCertificateRefused'))
  );
}

/** Why a probe of a target cluster failed, as a clause that follows "the cluster cannot be used: ". */
export function describeLinkFailure(error: unknown, credential: CredentialState | undefined): string {
  if (error instanceof SourceSilentError) {
    return 'the source cluster does not answer, with which it has to be compared first';
  }
  if (error instanceof UnidentifiedError) {
    return error.message;
  }
  if (isApiError(error, 'Unauthorized')) {
    return `its API server refuses the credentials (401 Unauthorized); ${credential?.advice ?? 'renew them in the kubeconfig'}`;
  }
  if (isApiError(error)) {
    return `its API server answers ${error.status} ${error.reason}`;
  }
  if (error instanceof TransportError) {
    return error.cause instanceof CredentialsError ? error.cause.message : transportProblems[error.reason];
  }
  return 'its API server gives no usable answer';
}

const transportProblems: Readonly<Record<TransportError['reason'], string>> = {
  ConnectionRefused: 'its API server refuses connections',
  ConnectionReset: 'its API server breaks connections off',
  NameNotResolved: "its API server's host name cannot be resolved",
  Timeout: 'its API server does not answer in time',
  CertificateNotTrusted:
    "its API server's certificate is not trusted; check certificate-authority-data and tls-server-name in the kubeconfig",
  ClientCertificateRefused: 'its API server refuses the client certificate; renew it in the kubeconfig',
  CredentialsUnusable: 'the credentials in the kubeconfig cannot be used',
  MalformedAnswer: 'what answers at its address is not a Kubernetes API server',
  Other: 'its API server cannot be reached',
};

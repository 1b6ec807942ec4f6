import type { MaterialTexts } from './credentials.ts';

/** Where credentials come from: the kubeconfig itself, a managed cluster's cloud, or a plugin that the operator allowed. */
export type ProviderName = 'kubeconfig' | 'eks' | 'gke' | 'aks' | 'exec';

/** Credentials as a provider yields them. */
export interface Obtained {
  readonly texts: MaterialTexts;
  /** Milliseconds since the Unix epoch; undefined when it is not known. */
  readonly expiresAt: number | undefined;
  /** Whom they stand for, for logs and messages: a user name, an account, an ARN. Never a secret. */
  readonly identity: string | undefined;
}

/**
 * When credentials are obtained again.
 * - `never`: they cannot change.
 * - `look`: they can change at any time, and looking is cheap. A request that finds the last look older than `everyMs` looks first.
 * - `expiry`: they expire. They are renewed in the background before that, and once after a 401.
 */
export type Renewal =
  | { readonly kind: 'never' }
  | { readonly kind: 'look'; readonly everyMs: number }
  | { readonly kind: 'expiry' };

/** The one way to credentials: fixed texts, files, tokens of a cloud and plugins are all providers. */
export interface CredentialProvider {
  readonly name: ProviderName;
  readonly renewal: Renewal;
  /** What to do when the API server refuses the credentials: completes "its API server refuses …; ". */
  advice(identity: string | undefined): string;
  /**
   * Obtains credentials. Called once at a time.
   *
   * @param fresh what was obtained before has been refused: use nothing that is cached
   * @throws CredentialsError with what to do next
   */
  obtain(request: { readonly fresh: boolean; readonly signal: AbortSignal }): Promise<Obtained>;
}

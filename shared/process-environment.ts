import type { Clock, Random } from './clock.ts';
import type { Logger } from './logger.ts';

/** What a long-running command gets from the process that it runs in. */
export interface ProcessEnvironment {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Unique to this process: host name and a random part. */
  readonly identity: string;
  readonly version: string;
  /** Where a Pod's API server is, as Kubernetes says in the Pod's environment. */
  readonly inCluster: { readonly host?: string | undefined; readonly port?: string | undefined };
  /** Variables that credentials of target clusters are made with, by name. */
  readonly credentialEnvironment: Readonly<Record<string, string | undefined>>;
}

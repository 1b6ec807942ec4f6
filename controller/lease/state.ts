import { ApiError, TransportError } from '../../shared/kube/errors.ts';
import type { Logger } from '../../shared/logger.ts';

/** `unavailable`: the Lease can be neither read nor written, or our hold on it could not be renewed in time. */
export type LeaseState = 'leading' | 'standby' | 'unavailable';

/** The reason of a failure, fit for logs. */
export function leaseFailureReason(error: unknown): string {
  if (error instanceof ApiError || error instanceof TransportError) return error.reason;
  return error instanceof Error ? error.name : typeof error;
}

/** What a person can do about a failure, by its reason. */
export const remedies: Readonly<Record<string, string>> = {
  NamespaceNotFound: 'create the namespace',
  NamespaceTerminating: 'create the namespace again when it is gone',
  Forbidden:
    'grant get, create and update on leases.coordination.k8s.io in the namespace, for more than one shard list, too',
  Unauthorized: 'check the credentials of this process',
};

/** Reports the changes of a candidate's state: to a log, and to `onTransition`. */
export class LeaseStateReporter {
  readonly #logger: Logger;
  readonly #onTransition: ((state: LeaseState, detail: string) => void) | undefined;
  #last: string | undefined;

  constructor(logger: Logger, onTransition: ((state: LeaseState, detail: string) => void) | undefined) {
    this.#logger = logger;
    this.#onTransition = onTransition;
  }

  leading(identity: string): void {
    this.#tell('leading', identity, () => this.#logger.info('leading', { identity }));
  }

  standby(holder: string | undefined): void {
    // The holder's name comes with the next look at the lease.
    if (holder === undefined && this.#last?.startsWith('standby') === true) return;
    this.#tell('standby', holder ?? '', () => this.#logger.info('standing by', { holder }));
  }

  unavailable(reason: string): void {
    this.#tell('unavailable', reason, () =>
      this.#logger.error('lease unavailable, retrying', { reason, remedy: remedies[reason] }),
    );
  }

  #tell(state: LeaseState, detail: string, log: () => void): void {
    const next = `${state} ${detail}`;
    if (next === this.#last) return;
    this.#last = next;
    log();
    this.#onTransition?.(state, detail);
  }
}

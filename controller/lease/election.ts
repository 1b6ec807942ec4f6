import type { Clock, Random } from '../../shared/clock.ts';
import { AbortedError, ApiError, isApiError } from '../../shared/kube/errors.ts';
import { ChangeLog } from '../../shared/log/change-log.ts';
import type { Logger } from '../../shared/logger.ts';
import { type CandidateOptions, LeaseCandidate } from './candidate.ts';
import type { SharedLease } from './fair-share.ts';
import type { Lease } from './record.ts';
import { type LeaseState, LeaseStateReporter, leaseFailureReason, remedies } from './state.ts';

export interface LeaseTimes {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
}

export interface ElectionOptions extends Omit<CandidateOptions, 'requestTimeoutMs'>, LeaseTimes {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onTransition?: ((state: LeaseState, detail: string) => void) | undefined;
}

/** Waits are up to this much longer than the period, so that candidates do not march in step. */
export const jitterShare = 0.2;

/** The competition for one Lease: taking it, and terms of holding it. */
export class Election {
  readonly name: string;
  readonly #options: ElectionOptions;
  readonly #candidate: LeaseCandidate;
  readonly #logger: Logger;
  readonly #report: LeaseStateReporter;
  readonly #refusals: ChangeLog;
  #giveBack: () => void = () => undefined;

  constructor(options: ElectionOptions) {
    this.name = options.name;
    this.#options = options;
    this.#logger = options.logger.with({ lease: `${options.namespace}/${options.name}` });
    this.#report = new LeaseStateReporter(this.#logger, options.onTransition);
    this.#refusals = new ChangeLog(this.#logger);
    // Two requests fit into the deadline: one that hangs does not cost the leadership.
    this.#candidate = new LeaseCandidate({ ...options, requestTimeoutMs: options.renewDeadlineMs / 2 });
  }

  /** Takes what was read of the lease (undefined: it does not exist); yields its state. */
  note(lease: Lease | undefined): SharedLease & { readonly shards: number } {
    return this.#candidate.note(lease);
  }

  /** The lease is left to somebody else. */
  standBy(holder: string | undefined): void {
    this.#report.standby(holder);
  }

  /** The lease could not be read. */
  unavailable(error: unknown): void {
    this.#report.unavailable(leaseFailureReason(error));
  }

  /** Takes the lease, which is free as it was noted; yields monotonic milliseconds since when it is ours. */
  async take(signal: AbortSignal): Promise<number | undefined> {
    const attempt = await this.#candidate.take(signal);
    if (attempt.held) this.#refusals.clear();
    else this.#report.standby(attempt.holder);
    return attempt.held && !signal.aborted ? attempt.since : undefined;
  }

  /** Asks the holder to pass the lease on. */
  async ask(signal: AbortSignal): Promise<void> {
    try {
      await this.#candidate.ask(signal);
      this.#refusals.clear();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      // The holder renews all the time; the next look shows what came of it.
      if (!isApiError(error, 'Conflict', 'NotFound')) {
        const reason = leaseFailureReason(error);
        this.#refusals.warn('lease cannot be asked for, retrying', { reason, remedy: remedies[reason] });
      }
    }
  }

  /** Ends the term, if there is one, and gives the lease back. */
  giveBack(): void {
    this.#giveBack();
  }

  /** One time of leading. True when it was the last. */
  async term(
    since: number,
    lead: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock } = this.#options;
    const leading = new AbortController();
    const over = new AbortController();
    const stop = (): void => leading.abort();
    let lost = false;
    const lose = (): void => {
      lost = true;
      leading.abort();
    };
    let given: { readonly to: string | undefined } | undefined;
    const give = (to: string | undefined): void => {
      given ??= { to };
      leading.abort();
    };
    let cancelDeadline = (): void => {};
    let lastFailure = 'Timeout';
    const extend = (from: number): void => {
      cancelDeadline();
      cancelDeadline = clock.schedule(
        Math.max(0, from + this.#options.renewDeadlineMs - clock.monotonic()),
        () => {
          this.#report.unavailable(lastFailure);
          lose();
        },
      );
    };
    const renewals = async (): Promise<void> => {
      for (;;) {
        await this.#pause(this.#options.retryPeriodMs, over.signal);
        if (over.signal.aborted) return;
        try {
          const attempt = await this.#candidate.renew(over.signal);
          if (!attempt.held) {
            cancelDeadline();
            this.#report.standby(attempt.holder);
            lose();
            return;
          }
          if (!lost) extend(attempt.since);
          if (attempt.wantedBy !== undefined && attempt.wantedBy !== this.#options.identity) {
            give(attempt.wantedBy);
          }
        } catch (error) {
          if (over.signal.aborted) return;
          lastFailure = leaseFailureReason(error);
          this.#logger.warn('lease renewal failed, retrying', { reason: lastFailure });
        }
      }
    };

    if (clock.monotonic() - since >= this.#options.renewDeadlineMs) return false;
    this.#giveBack = (): void => give(undefined);
    signal.addEventListener('abort', stop, { once: true });
    extend(since);
    this.#report.leading(this.#options.identity);
    const renewing = renewals();
    let ownEnd = true;
    try {
      await lead(leading.signal);
      ownEnd = !lost;
    } catch (error) {
      // A request to stop is the one thing that may end a leader with an exception.
      if (!(leading.signal.aborted && error instanceof AbortedError)) throw error;
      ownEnd = !lost;
    } finally {
      over.abort();
      signal.removeEventListener('abort', stop);
      this.#giveBack = () => undefined;
      await renewing;
      cancelDeadline();
      if (ownEnd || signal.aborted) await this.release(given?.to);
    }
    return (ownEnd && given === undefined) || signal.aborted;
  }

  /** Gives the lease back if it is, or may be, ours; `to`: to this candidate. */
  async release(to?: string): Promise<void> {
    try {
      await this.#candidate.release(to);
    } catch (error) {
      // The others take over when the record is old enough.
      this.#logger.warn('lease not released', { reason: leaseFailureReason(error) });
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(ms * (1 + jitterShare * this.#options.random()), signal);
  }
}

import type { Clock, Random } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { KubeClient } from './client.ts';
import { AbortedError, ApiError } from './errors.ts';
import { LeaseCandidate } from './lease-candidate.ts';
import { type LeaseState, LeaseStateReporter, leaseFailureReason } from './lease-state.ts';

export type { LeaseState } from './lease-state.ts';

export interface LeaseOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique for each process that ever competes, such as host name and a random part. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How long others leave an unchanged record alone. 15, 10 and 2 s are what Kubernetes' own components use. */
  readonly leaseDurationMs?: number | undefined;
  /** How long we lead on after the last renewal that succeeded. */
  readonly renewDeadlineMs?: number | undefined;
  /** Between renewals, and between looks at somebody else's lease. */
  readonly retryPeriodMs?: number | undefined;
  /** Called on changes only: detail is our identity, the holder's ('' if unknown), or the reason. Must not throw. */
  readonly onTransition?: ((state: LeaseState, detail: string) => void) | undefined;
}

interface Settings {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
}

/** Waits are up to this much longer than the period, so that candidates do not march in step. */
const jitterShare = 0.2;

/**
 * Competes for a Lease and runs `lead` while it is held, again and again, until `signal` aborts or `lead` ends by
 * itself; then the lease is given back. `lead`'s signal aborts when the process stops, when another candidate holds
 * the lease, or when no renewal succeeded for `renewDeadlineMs`; the competition goes on only after `lead` has ended.
 * The lease is renewed for as long as `lead` takes to end.
 *
 * It does not promise a single leader: a process that was suspended wakes up believing that it leads, and a `lead`
 * that ignores its signal overlaps with its successor. Writes must be safe under two.
 *
 * Rejects with what `lead` throws, and with RangeError for settings that cannot work; never for API errors.
 */
export async function runWithLease(
  options: LeaseOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const settings = checkedSettings(options);
  const election = new Election(options, settings);
  for (;;) {
    const since = await election.acquire(signal);
    if (since === undefined) return;
    if (await election.term(since, lead, signal)) return;
  }
}

function checkedSettings(options: LeaseOptions): Settings {
  const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
  if (!(leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * (1 + jitterShare))) {
    throw new RangeError(
      `lease ${leaseDurationMs} ms, renew deadline ${renewDeadlineMs} ms and retry period ${retryPeriodMs} ms do not ` +
        `fit: the lease must be longer than the deadline, and the deadline longer than 1.2 retry periods`,
    );
  }
  return { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
}

class Election {
  readonly #options: LeaseOptions;
  readonly #settings: Settings;
  readonly #candidate: LeaseCandidate;
  readonly #logger: Logger;
  readonly #report: LeaseStateReporter;

  constructor(options: LeaseOptions, settings: Settings) {
    this.#options = options;
    this.#settings = settings;
    this.#logger = options.logger.with({ lease: `${options.namespace}/${options.name}` });
    this.#report = new LeaseStateReporter(this.#logger, options.onTransition);
    this.#candidate = new LeaseCandidate({
      client: options.client,
      namespace: options.namespace,
      name: options.name,
      identity: options.identity,
      clock: options.clock,
      leaseDurationMs: settings.leaseDurationMs,
      // Two requests fit into the deadline: one that hangs does not cost the leadership.
      requestTimeoutMs: settings.renewDeadlineMs / 2,
    });
  }

  /** Monotonic milliseconds since when the lease is ours; undefined when `signal` aborted first. */
  async acquire(signal: AbortSignal): Promise<number | undefined> {
    while (!signal.aborted) {
      let wait = this.#settings.retryPeriodMs;
      try {
        const attempt = await this.#candidate.acquire(signal);
        if (attempt.held && !signal.aborted) return attempt.since;
        if (!attempt.held) this.#report.standby(attempt.holder);
      } catch (error) {
        if (signal.aborted) break;
        this.#report.unavailable(leaseFailureReason(error));
        const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
        wait = Math.max(wait, Math.min(asked, this.#settings.leaseDurationMs));
      }
      await this.#pause(wait, signal);
    }
    await this.#release();
    return undefined;
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
    let cancelDeadline = (): void => {};
    let lastFailure = 'Timeout';
    const extend = (from: number): void => {
      cancelDeadline();
      cancelDeadline = clock.schedule(
        Math.max(0, from + this.#settings.renewDeadlineMs - clock.monotonic()),
        () => {
          this.#report.unavailable(lastFailure);
          lose();
        },
      );
    };
    const renewals = async (): Promise<void> => {
      for (;;) {
        await this.#pause(this.#settings.retryPeriodMs, over.signal);
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
        } catch (error) {
          if (over.signal.aborted) return;
          lastFailure = leaseFailureReason(error);
          this.#logger.warn('lease renewal failed, retrying', { reason: lastFailure });
        }
      }
    };

    if (clock.monotonic() - since >= this.#settings.renewDeadlineMs) return false;
    signal.addEventListener('abort', stop, { once: true });
    extend(since);
    this.#report.leading(this.#options.identity);
    const renewing = renewals();
    let ownEnd = true;
    try {
      await lead(leading.signal);
      ownEnd = !lost;
    } catch (error) {
      // Being told to stop is the one thing that may end a leader with an exception.
      if (!(leading.signal.aborted && error instanceof AbortedError)) throw error;
      ownEnd = !lost;
    } finally {
      over.abort();
      signal.removeEventListener('abort', stop);
      await renewing;
      cancelDeadline();
      if (ownEnd || signal.aborted) await this.#release();
    }
    return ownEnd || signal.aborted;
  }

  async #release(): Promise<void> {
    try {
      await this.#candidate.release();
    } catch (error) {
      // The others take over when the record is old enough.
      this.#logger.warn('lease not released', { reason: leaseFailureReason(error) });
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(ms * (1 + jitterShare * this.#options.random()), signal);
  }
}

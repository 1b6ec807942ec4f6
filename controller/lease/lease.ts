import type { Clock, Random } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { ApiError, isApiError } from '../../shared/kube/errors.ts';
import { leases } from '../../shared/kube/resource.ts';
import type { Logger } from '../../shared/logger.ts';
import { Wakeup } from '../../shared/wakeup.ts';
import { Election, jitterShare, type LeaseTimes } from './election.ts';
import { fairShareStep } from './fair-share.ts';
import type { Lease, ShareKeys } from './record.ts';
import type { LeaseState } from './state.ts';

export type { LeaseState } from './state.ts';

export interface LeaseOptions extends Partial<LeaseTimes> {
  readonly client: Pick<KubeClient, 'get' | 'list' | 'create' | 'update'>;
  readonly namespace: string;
  /** The Leases to compete for. The first one records how many they are. */
  readonly names: readonly [string, ...string[]];
  readonly keys: ShareKeys;
  /** Unique for each process that ever competes, such as host name and a random part. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How long others leave an unchanged record alone. 15, 10 and 2 s are what Kubernetes' own components use. */
  readonly leaseDurationMs?: number;
  /** How long we lead on after the last renewal that succeeded. */
  readonly renewDeadlineMs?: number;
  /** Between renewals, and between looks at Leases of others. */
  readonly retryPeriodMs?: number;
  /** Called on changes only: detail is our identity, the holder's ('' if unknown), or the reason. Must not throw. */
  readonly onTransition?: ((state: LeaseState, detail: string, lease: string) => void) | undefined;
}

/** Runs while the Lease of this index is held. */
export type Lead = (index: number, signal: AbortSignal) => Promise<void>;

/**
 * Competes for Leases and runs `lead` for each one while it is held, again and again, until `signal` aborts or a `lead`
 * ends by itself; then all are given back. With one Lease this is leader election. Several are shared out fairly among
 * the candidates, see fairShareStep.
 *
 * The signal of a `lead` aborts when the process stops, when another candidate holds the Lease or asks for it, or when
 * no renewal succeeded for `renewDeadlineMs`; the Lease is competed for again only after `lead` has ended. It is renewed
 * for as long as `lead` takes to end.
 *
 * The first Lease records how many they are. While a candidate with another number holds it, this one holds none: what
 * a Lease means depends on their number.
 *
 * It does not promise a single leader: a process that was suspended wakes up believing that it leads, and a `lead`
 * that ignores its signal overlaps with its successor. Writes must be safe under two.
 *
 * Rejects with what `lead` throws, and with RangeError for settings that cannot work; never for API errors.
 */
export async function runWithLeases(options: LeaseOptions, lead: Lead, signal: AbortSignal): Promise<void> {
  await new Competition(options, checkedTimes(options), lead).run(signal);
}

function checkedTimes(options: LeaseOptions): LeaseTimes {
  const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
  if (!(leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * (1 + jitterShare))) {
    throw new RangeError(
      `lease ${leaseDurationMs} ms, renew deadline ${renewDeadlineMs} ms and retry period ${retryPeriodMs} ms do not ` +
        `fit: the lease must be longer than the deadline, and the deadline longer than 1.2 retry periods`,
    );
  }
  return { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
}

class Competition {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  readonly #lead: Lead;
  readonly #elections: readonly Election[];
  /** Terms under way. */
  readonly #terms = new Map<Election, Promise<void>>();
  readonly #wakeup: Wakeup;
  /** Aborts when a `lead` ended by itself. */
  readonly #over = new AbortController();
  #isRuledByOthers = false;

  constructor(options: LeaseOptions, times: LeaseTimes, lead: Lead) {
    const { names, onTransition } = options;
    this.#options = options;
    this.#times = times;
    this.#lead = lead;
    this.#wakeup = new Wakeup(options.clock);
    this.#elections = names.map(
      (name) =>
        new Election({
          ...options,
          ...times,
          name,
          shards: names.length,
          read: async (signal) => (await this.#read(signal)).get(name),
          onTransition: (state, detail) => onTransition?.(state, detail, name),
        }),
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const until = AbortSignal.any([signal, this.#over.signal]);
    const failures: unknown[] = [];
    const failed = (error: unknown): void => {
      failures.push(error);
      this.#over.abort();
    };
    while (!until.aborted) {
      const waitMs = await this.#look(failed, until);
      await this.#wakeup.sleep(waitMs * (1 + jitterShare * this.#options.random()), until);
    }
    await Promise.all(this.#terms.values());
    await Promise.all(this.#elections.map((election) => election.release()));
    for (const failure of failures) {
      throw failure;
    }
  }

  /** One look at the Leases that are not held, and what follows from it. Yields milliseconds until the next one. */
  async #look(failed: (error: unknown) => void, until: AbortSignal): Promise<number> {
    const { retryPeriodMs, leaseDurationMs } = this.#times;
    if (this.#terms.size === this.#elections.length) {
      // Renewals show what happens to them, and the end of a term wakes us up.
      return leaseDurationMs;
    }
    try {
      await this.#step(await this.#read(until), failed, until);
      return retryPeriodMs;
    } catch (error) {
      if (until.aborted) {
        return 0;
      }
      for (const election of this.#elections) {
        if (!this.#terms.has(election)) {
          election.unavailable(error);
        }
      }
      const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      return Math.max(retryPeriodMs, Math.min(asked, leaseDurationMs));
    }
  }

  /** The Leases by name: one alone is read by its name, which needs no right to list. */
  async #read(signal: AbortSignal | undefined): Promise<ReadonlyMap<string, Lease>> {
    const { client, namespace, names } = this.#options;
    const [name] = names;
    const options = { signal, timeoutMs: this.#times.renewDeadlineMs / 2 };
    if (names.length > 1) {
      const { items } = await client.list<Lease>(leases, { ...options, namespace, shape: 'full' });
      return new Map((items ?? []).map((lease) => [lease.metadata.name, lease]));
    }
    try {
      return new Map([[name, await client.get<Lease>(leases, namespace, name, options)]]);
    } catch (error) {
      if (isApiError(error, 'NotFound')) return new Map();
      throw error;
    }
  }

  async #step(
    read: ReadonlyMap<string, Lease>,
    failed: (error: unknown) => void,
    until: AbortSignal,
  ): Promise<void> {
    const { identity, names } = this.#options;
    const seen = this.#elections.map((election) => ({
      ...election.note(read.get(election.name)),
      ...(this.#terms.has(election) ? { holder: identity } : {}),
    }));
    const [first] = seen;
    const isOther = first?.holder !== undefined && first.holder !== identity && first.shards !== names.length;
    this.#ruledByOthers(isOther, first?.shards);
    if (isOther) {
      for (const election of this.#elections) {
        election.giveBack();
      }
      return;
    }
    const begin = async (index: number): Promise<boolean> => {
      const election = this.#elections[index];
      const since = election === undefined ? undefined : await election.take(until);
      if (election !== undefined && since !== undefined) {
        this.#begin(index, election, since, failed, until);
      }
      return since !== undefined;
    };
    for (const [index, election] of this.#elections.entries()) {
      // Passed on to us, or taken in a request whose answer was lost.
      if (!this.#terms.has(election) && seen[index]?.holder === identity) {
        await begin(index);
      }
    }
    const { take, takeAtMost, ask } = fairShareStep(seen, identity);
    let taken = 0;
    let refusal: ApiError | undefined;
    for (const index of take) {
      try {
        if (taken < takeAtMost && (await begin(index))) {
          taken += 1;
        }
      } catch (error) {
        // One Lease that may not be written keeps no other one from being taken.
        if (!isApiError(error, 'Forbidden', 'Invalid')) throw error;
        refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
    for (const index of ask) {
      await this.#elections[index]?.ask(until);
    }
    for (const [index, election] of this.#elections.entries()) {
      const holder = seen[index]?.holder;
      if (holder !== undefined && holder !== identity) {
        election.standBy(holder);
      }
    }
  }

  #begin(
    index: number,
    election: Election,
    since: number,
    failed: (error: unknown) => void,
    until: AbortSignal,
  ): void {
    const term = async (): Promise<void> => {
      try {
        if (await election.term(since, (signal) => this.#lead(index, signal), until)) {
          this.#over.abort();
        }
      } catch (error) {
        failed(error);
      } finally {
        this.#terms.delete(election);
        this.#wakeup.wake();
      }
    };
    this.#terms.set(election, term());
  }

  #ruledByOthers(isOther: boolean, shards: number | undefined): void {
    const { logger, names, namespace } = this.#options;
    if (isOther && !this.#isRuledByOthers) {
      logger.warn('another number of shards is in use, nothing is done before its processes have ended', {
        lease: `${namespace}/${names[0]}`,
        shards,
        configured: names.length,
      });
    }
    this.#isRuledByOthers = isOther;
  }
}

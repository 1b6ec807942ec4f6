import type { Clock } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { type ApiErrorReason, isApiError } from '../../shared/kube/errors.ts';
import { leases } from '../../shared/kube/resource.ts';
import type { SharedLease } from './fair-share.ts';
import {
  annotated,
  type Claimant,
  claimed,
  holderOf,
  type Lease,
  newLease,
  released,
  type ShareKeys,
} from './record.ts';

export interface CandidateOptions {
  readonly client: Pick<KubeClient, 'create' | 'update'>;
  /** Reads the lease; undefined where it does not exist. Throws what the client throws. */
  readonly read: (signal: AbortSignal | undefined) => Promise<Lease | undefined>;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates, and never used by two processes at a time. */
  readonly identity: string;
  readonly clock: Clock;
  readonly leaseDurationMs: number;
  /** Milliseconds that one request may take. */
  readonly requestTimeoutMs: number;
  readonly keys: ShareKeys;
  /** How many Leases are shared out. */
  readonly shards: number;
}

export type Attempt =
  /**
   * `since`: monotonic milliseconds of just before the write that made or kept us the holder. `wantedBy`: who asks us to
   * pass it on.
   */
  | { readonly held: true; readonly since: number; readonly wantedBy: string | undefined }
  /** `holder` is undefined where another candidate was quicker and its name is not known yet. */
  | { readonly held: false; readonly holder: string | undefined };

/**
 * One candidate's dealings with the Lease object. Others' time stamps are never compared with anything: a record
 * counts as abandoned when our own clock saw it unchanged for as long as it is valid.
 */
export class LeaseCandidate {
  readonly #options: CandidateOptions;
  /** The lease as we wrote it last, while nothing contradicts that we hold it. */
  #held: Lease | undefined;
  /** A write of ours may have arrived though no answer did. */
  #unsure = false;
  /** The lease as it was read last. */
  #noted: Lease | undefined;
  #observed: { readonly record: string; readonly at: number } | undefined;

  constructor(options: CandidateOptions) {
    this.#options = options;
  }

  /** Takes what was read of the lease (undefined: it does not exist); yields its state. */
  note(lease: Lease | undefined): SharedLease & { readonly shards: number } {
    const { keys, clock } = this.#options;
    this.#noted = lease;
    // The record, not the object's version: a label that somebody sets is no sign of life.
    const record = JSON.stringify(lease?.spec ?? {});
    if (this.#observed?.record !== record) this.#observed = { record, at: clock.monotonic() };
    const annotations = lease?.metadata.annotations ?? {};
    return {
      holder: lease === undefined || this.#abandoned(lease) ? undefined : holderOf(lease),
      wantedBy: annotations[keys.wantedBy],
      shards: Number(annotations[keys.shards] ?? 1),
    };
  }

  /** Takes the lease, which is free or ours as it was noted. Throws what the client throws. */
  async take(signal: AbortSignal): Promise<Attempt> {
    return this.#noted === undefined ? this.#create(signal) : this.#write(this.#noted, signal);
  }

  /** Asks the holder to pass the lease on to us. Throws what the client throws, also where the lease changed meanwhile. */
  async ask(signal: AbortSignal): Promise<void> {
    const { client, identity, keys, requestTimeoutMs } = this.#options;
    if (this.#noted !== undefined) {
      const asked = annotated(this.#noted, { [keys.wantedBy]: identity });
      await client.update<Lease>(leases, asked, { signal, timeoutMs: requestTimeoutMs });
    }
  }

  /** Keeps the lease. It takes over nothing: once another held it, ours is over even if it is free again. */
  async renew(signal: AbortSignal): Promise<Attempt> {
    if (this.#held !== undefined) {
      const attempt = await this.#write(this.#held, signal);
      if (attempt.held) return attempt;
    }
    // Somebody wrote: maybe ourselves, in a request whose answer was lost, maybe a person, maybe a new holder.
    const lease = await this.#options.read(signal);
    if (lease === undefined) return this.#create(signal);
    const holder = holderOf(lease);
    return holder === this.#options.identity ? this.#write(lease, signal) : { held: false, holder };
  }

  /** Gives the lease back if it is, or may be, ours; `to`: to this candidate. Throws what the client throws. */
  async release(to?: string): Promise<void> {
    const { client, clock, identity, requestTimeoutMs } = this.#options;
    const options = { timeoutMs: requestTimeoutMs };
    const given = (lease: Lease): Lease =>
      to === undefined ? released(lease, clock.now()) : claimed(lease, { ...this.#claimant(), identity: to });
    if (this.#held === undefined && !this.#unsure) return;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && !this.#unsure) {
      try {
        await client.update<Lease>(leases, given(held), options);
        return;
      } catch (error) {
        if (!isApiError(error, 'Conflict', 'NotFound')) throw error;
      }
    }
    const lease = await this.#options.read(undefined);
    if (lease === undefined || holderOf(lease) !== identity) return;
    await client.update<Lease>(leases, given(lease), options);
    this.#unsure = false;
  }

  #abandoned(lease: Lease): boolean {
    if (this.#observed === undefined) return false;
    // The holder may have been configured with a longer duration than we are.
    const recorded = (lease.spec?.leaseDurationSeconds ?? 0) * 1_000;
    const valid = Math.max(this.#options.leaseDurationMs, recorded);
    return this.#options.clock.monotonic() - this.#observed.at >= valid;
  }

  async #create(signal: AbortSignal): Promise<Attempt> {
    const { client, namespace, name, requestTimeoutMs } = this.#options;
    const lease = newLease(namespace, name, this.#claimant());
    return this.#send(
      () => client.create<Lease>(leases, lease, { signal, timeoutMs: requestTimeoutMs }),
      ['AlreadyExists'],
    );
  }

  async #write(lease: Lease, signal: AbortSignal): Promise<Attempt> {
    const { client, requestTimeoutMs } = this.#options;
    const next = claimed(lease, this.#claimant());
    return this.#send(
      () => client.update<Lease>(leases, next, { signal, timeoutMs: requestTimeoutMs }),
      ['Conflict', 'NotFound'],
    );
  }

  async #send(write: () => Promise<Lease>, outrun: readonly ApiErrorReason[]): Promise<Attempt> {
    // Taken before the write: others count from when they see it, which is later, so we always give up first.
    const since = this.#options.clock.monotonic();
    try {
      this.#held = await write();
      this.#unsure = false;
      const wantedBy = this.#held.metadata.annotations?.[this.#options.keys.wantedBy];
      return { held: true, since, wantedBy };
    } catch (error) {
      if (isApiError(error, ...outrun)) {
        this.#held = undefined;
        return { held: false, holder: undefined };
      }
      // A 5xx can come from a write that reached the storage all the same.
      if (!isApiError(error) || error.status >= 500) this.#unsure = true;
      throw error;
    }
  }

  #claimant(): Claimant {
    return { ...this.#options, now: this.#options.clock.now() };
  }
}

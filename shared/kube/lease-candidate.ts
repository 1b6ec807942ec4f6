import type { Clock } from '../clock.ts';
import type { KubeClient } from './client.ts';
import { type ApiErrorReason, isApiError } from './errors.ts';
import { claimed, holderOf, type Lease, newLease, released } from './lease-record.ts';
import { leases } from './resource.ts';

export interface CandidateOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates, and never used by two processes at a time. */
  readonly identity: string;
  readonly clock: Clock;
  readonly leaseDurationMs: number;
  /** Milliseconds that one request may take. */
  readonly requestTimeoutMs: number;
}

export type Attempt =
  /** `since`: monotonic milliseconds of just before the write that made or kept us the holder. */
  | { readonly held: true; readonly since: number }
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
  #observed: { readonly record: string; readonly at: number } | undefined;

  constructor(options: CandidateOptions) {
    this.#options = options;
  }

  /** Takes the lease if it is free, ours or abandoned. Throws what the client throws. */
  async acquire(signal: AbortSignal): Promise<Attempt> {
    const lease = await this.#read(signal);
    if (lease === undefined) return this.#create(signal);
    const holder = holderOf(lease);
    const free = holder === undefined || holder === this.#options.identity || this.#abandoned(lease);
    return free ? this.#write(lease, signal) : { held: false, holder };
  }

  /** Keeps the lease. It takes over nothing: once another held it, ours is over even if it is free again. */
  async renew(signal: AbortSignal): Promise<Attempt> {
    if (this.#held !== undefined) {
      const attempt = await this.#write(this.#held, signal);
      if (attempt.held) return attempt;
    }
    // Somebody wrote: maybe ourselves, in a request whose answer was lost, maybe a person, maybe a new holder.
    const lease = await this.#read(signal);
    if (lease === undefined) return this.#create(signal);
    const holder = holderOf(lease);
    return holder === this.#options.identity ? this.#write(lease, signal) : { held: false, holder };
  }

  /** Gives the lease back if it is, or may be, ours. Throws what the client throws. */
  async release(): Promise<void> {
    const { client, clock, identity, requestTimeoutMs } = this.#options;
    const options = { timeoutMs: requestTimeoutMs };
    if (this.#held === undefined && !this.#unsure) return;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && !this.#unsure) {
      try {
        await client.update<Lease>(leases, released(held, clock.now()), options);
        return;
      } catch (error) {
        if (!isApiError(error, 'Conflict', 'NotFound')) throw error;
      }
    }
    const lease = await this.#read(undefined);
    if (lease === undefined || holderOf(lease) !== identity) return;
    await client.update<Lease>(leases, released(lease, clock.now()), options);
    this.#unsure = false;
  }

  async #read(signal: AbortSignal | undefined): Promise<Lease | undefined> {
    const { client, namespace, name, requestTimeoutMs, clock } = this.#options;
    try {
      const lease = await client.get<Lease>(leases, namespace, name, { signal, timeoutMs: requestTimeoutMs });
      // The record, not the object's version: a label that somebody sets is no sign of life.
      const record = JSON.stringify(lease.spec ?? {});
      if (this.#observed?.record !== record) this.#observed = { record, at: clock.monotonic() };
      return lease;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
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
      return { held: true, since };
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

  #claimant(): { identity: string; leaseDurationMs: number; now: number } {
    const { identity, leaseDurationMs, clock } = this.#options;
    return { identity, leaseDurationMs, now: clock.now() };
  }
}

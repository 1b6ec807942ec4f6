import type { Clock } from '../../shared/clock.ts';
import type { KnownSource } from './known-source.ts';
import { SourceReadError } from './source-reader.ts';

/** The source cluster's address leads to another cluster: whatever was read there is not about our sources. */
export class OtherClusterError extends Error {
  override readonly name = 'OtherClusterError';
  constructor() {
    super("another cluster answers at the source cluster's address; readiness says what to do");
  }
}

/** Milliseconds from the start of a check within which an answer can show by itself that it is the source cluster's. */
const vouchesForMs = 1_000;

export interface IdentityCheckOptions {
  readonly clock: Clock;
  readonly source: KnownSource;
  /**
   * Reads the uid of kube-system over a connection of its own: after an address has moved, a connection that is kept
   * alive can still lead to the old cluster, while what is to be vouched for came from the new one.
   */
  readonly readUid: () => Promise<string>;
}

/** Resolves when the source cluster says that it is the one that it was. Throws OtherClusterError, or what `readUid` throws. */
export async function confirmSource({ source, readUid }: Omit<IdentityCheckOptions, 'clock'>): Promise<void> {
  if (!source.recognise(await readUid())) {
    throw new OtherClusterError();
  }
}

/** Confirms that the source cluster is the one that it was, for many callers at few requests. */
export class IdentityCheck {
  readonly #options: IdentityCheckOptions;
  readonly #timesOther: number;
  #confirmedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: IdentityCheckOptions) {
    this.#options = options;
    this.#timesOther = options.source.timesOther;
  }

  /**
   * Resolves when the source cluster has said, after this call, that it is the one that it was. One check is under way
   * at a time: callers that arrive meanwhile are served by the next one, so that hundreds of proofs cost few requests.
   * Once another cluster has answered, a check vouches for nothing more: the next term has its own.
   * An answer with a FlowSchema of the source cluster shows by itself where it comes from. A check of the last second is
   * enough for it, since a check is also the occasion on which a restore is noticed; so mass removals cost no handshakes.
   * Throws OtherClusterError, or SourceReadError where it does not say who it is.
   */
  confirm(flowSchema?: string): Promise<void> {
    const { clock, source } = this.#options;
    const wasOther = source.timesOther !== this.#timesOther;
    if (!wasOther && source.answersWith(flowSchema) && clock.monotonic() - this.#confirmedAt < vouchesForMs) {
      return Promise.resolve();
    }
    if (this.#next === undefined && this.#running === undefined) {
      return this.#start();
    }
    const start = (): Promise<void> => this.#start();
    this.#next ??= this.#running?.then(start, start) ?? start();
    return this.#next;
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const check = this.#check().finally(() => {
      this.#running = undefined;
    });
    this.#running = check;
    return check;
  }

  async #check(): Promise<void> {
    const startedAt = this.#options.clock.monotonic();
    try {
      await confirmSource(this.#options);
      if (this.#options.source.timesOther !== this.#timesOther) {
        // What is to be vouched for may have been read while another cluster was there.
        throw new OtherClusterError();
      }
      this.#confirmedAt = startedAt;
    } catch (error) {
      throw error instanceof OtherClusterError ? error : new SourceReadError(error);
    }
  }
}

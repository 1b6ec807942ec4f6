import type { Clock } from '../shared/clock.ts';
import { ChangeLog } from '../shared/log/change-log.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import { TokenBucket } from '../shared/token-bucket.ts';

/** Writes of the CA bundle that are logged one by one; more in a short time are reported as a fight. */
const loggedWrites = { burst: 10, everyMs: 60_000 };
const fightLogEveryMs = 600_000;

/** What the log says of the rotation, at a bounded rate. */
export class UpkeepLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #complaints: ChangeLog;
  readonly #loggedWrites: TokenBucket;
  #caBundleWrites = 0;
  #nextFightLog = 0;

  constructor({ logger, clock }: { readonly logger: Logger; readonly clock: Clock }) {
    this.#logger = logger;
    this.#clock = clock;
    this.#complaints = new ChangeLog(logger);
    this.#loggedWrites = new TokenBucket(loggedWrites.burst, loggedWrites.everyMs, clock);
  }

  /** Since the start. */
  get caBundleWrites(): number {
    return this.#caBundleWrites;
  }

  stepTaken(step: string, fields: LogFields = {}): void {
    this.#logger.info('step of the certificate rotation taken', { step, ...fields });
  }

  caBundleWritten(): void {
    this.#caBundleWrites += 1;
    if (this.#loggedWrites.take()) {
      this.stepTaken('publish');
    } else if (this.#clock.monotonic() >= this.#nextFightLog) {
      this.#nextFightLog = this.#clock.monotonic() + fightLogEveryMs;
      this.#logger.error('something else keeps changing the caBundle, it is put back every time', {
        writes: this.#caBundleWrites,
      });
    }
  }

  /** An error until `fine`; the same complaint is made once. */
  complain(message: string, fields: LogFields): void {
    this.#complaints.error(message, fields);
  }

  fine(): void {
    this.#complaints.clear();
  }
}

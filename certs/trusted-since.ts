import type { Clock } from '../shared/clock.ts';
import { parseCertificate } from './certificate.ts';
import { type LiveBundle, trustedByAll } from './live-bundle.ts';

/**
 * Since when each CA has been in the CA bundle of every webhook without a break, as far as this process saw. It is not
 * stored: a process that starts anew waits anew, which costs minutes of the months that a rotation has. Bounded by the
 * certificates of the live bundle.
 */
export class TrustedSince {
  readonly #clock: Clock;
  #since: ReadonlyMap<string, number> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The bundle was read; undefined: there is no configuration. */
  saw(live: LiveBundle | undefined): void {
    const now = this.#clock.monotonic();
    this.#since = new Map(
      trustedByAll(live ?? []).map(({ fingerprint }) => [fingerprint, this.#since.get(fingerprint) ?? now]),
    );
  }

  /** Milliseconds for which this CA (PEM) has been trusted; undefined while it is not. */
  forMs(certPem: string): number | undefined {
    const since = this.#since.get(parseCertificate(certPem)?.fingerprint ?? '');
    return since === undefined ? undefined : this.#clock.monotonic() - since;
  }
}

import type { Clock, Random } from '../shared/clock.ts';
import { errorFields } from '../shared/error-fields.ts';
import { backoffMs } from '../shared/kube/backoff.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import { ApiError } from '../shared/kube/errors.ts';
import { secrets, validatingWebhookConfigurations } from '../shared/kube/resource.ts';
import { watchObject } from '../shared/kube/watch-object.ts';
import type { Logger } from '../shared/logger.ts';
import { TokenBucket } from '../shared/token-bucket.ts';
import { Wakeup } from '../shared/wakeup.ts';
import { ApiClock } from './api-clock.ts';
import { CaBundle, type ReadBundle } from './ca-bundle.ts';
import { CaStore, type StoredCas } from './ca-store.ts';
import { isCurrent, parseCertificate } from './certificate.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { makeCa } from './issue.ts';
import type { KeyMaterial } from './key-material.ts';
import { chainsTo, type LiveBundle } from './live-bundle.ts';
import { nextStep, type RotationStep } from './rotation.ts';
import { defaultRotationPolicy, type RotationPolicy } from './rotation-policy.ts';
import type { Expiry, ServingCertificate, ServingCertificates, Upkeep } from './serving-certificates.ts';
import { TrustedSince } from './trusted-since.ts';
import { UpkeepLog } from './upkeep-log.ts';

export interface CertificateManagerOptions {
  readonly client: KubeClient;
  /** Of the CA Secret. */
  readonly namespace: string;
  /** Of the CA Secret; `context-syncer-webhook-ca` when absent. */
  readonly secretName?: string | undefined;
  /** The ValidatingWebhookConfiguration whose webhooks are to trust us. */
  readonly configurationName: string;
  /** DNS names and IP addresses under which the API server calls; at least one. */
  readonly servingNames: readonly string[];
  readonly policy?: RotationPolicy | undefined;
  readonly material: KeyMaterial;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A new certificate is to be served from now on. When it throws, the old one is taken to be in use still. */
  readonly onLeaf: (certificate: ServingCertificate) => void;
}

export const defaultCaSecretName = 'context-syncer-webhook-ca';

/** The longest time without a look, in case a watch missed something. */
const pollMs = 3_600_000;
/** The same while the clocks disagree: no watch says when somebody has set a clock. */
const clockPollMs = 60_000;
/**
 * Looks at the Secret and the configuration: this many at once, which is several rotations with lost races, then one in
 * this many milliseconds. It bounds what a fight over the CA bundle costs, and how long the bundle stays wrong in one.
 */
const looks = { burst: 30, everyMs: 100 };
const failureBackoff = { baseMs: 500, maxMs: 10_000 };
const cannotKeepCurrent = 'certificates cannot be kept current, trying again';

/**
 * Keeps one replica's serving certificate, and its share of the common work: the CA Secret and the CA bundle. Every
 * look reads both and takes one step, until there is nothing to do.
 */
export class CertificateManager implements ServingCertificates {
  readonly #options: CertificateManagerOptions;
  readonly #secretName: string;
  readonly #policy: RotationPolicy;
  readonly #time: ApiClock;
  readonly #store: CaStore;
  readonly #bundle: CaBundle;
  readonly #trusted: TrustedSince;
  readonly #keeper: CertificateKeeper;
  readonly #wakeup: Wakeup;
  readonly #looks: TokenBucket;
  readonly #log: UpkeepLog;
  #stored: StoredCas | undefined;
  #read: ReadBundle | undefined;

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    const { client, namespace, clock, material, logger } = options;
    this.#secretName = options.secretName ?? defaultCaSecretName;
    this.#policy = options.policy ?? defaultRotationPolicy;
    this.#time = new ApiClock(clock, this.#policy.skewMs);
    this.#store = new CaStore({ client, namespace, name: this.#secretName });
    this.#bundle = new CaBundle({ client, name: options.configurationName });
    this.#trusted = new TrustedSince(clock);
    this.#wakeup = new Wakeup(clock);
    this.#looks = new TokenBucket(looks.burst, looks.everyMs, clock);
    this.#log = new UpkeepLog(options);
    this.#keeper = new CertificateKeeper({
      names: options.servingNames,
      policy: this.#policy,
      material,
      onIssued: (reason) => {
        logger.info('serving certificate issued', { reason });
      },
      serve: ({ certPem, keyPem }) => {
        options.onLeaf({ certPem, keyPem });
        logger.info('serving certificate in use');
      },
    });
  }

  problem(): string | undefined {
    const { inUse } = this.#keeper;
    const certificate = parseCertificate(inUse?.certPem ?? '');
    if (inUse === undefined || certificate === undefined) {
      return this.#stored?.kind === 'absent'
        ? 'the CA Secret does not exist'
        : 'there is no serving certificate yet';
    }
    if (!isCurrent(certificate, this.#time.now())) return 'the serving certificate is not valid now';
    if (this.#read === undefined) return 'the webhook configuration could not be read yet';
    if (this.#read.kind === 'absent') return 'the webhook configuration does not exist';
    return chainsTo(inUse.certPem, this.#read.live)
      ? undefined
      : 'the caBundle of the webhook configuration does not hold the CA of the serving certificate';
  }

  expiry(): Expiry {
    const end = (pem: string | undefined): number | undefined => parseCertificate(pem ?? '')?.notAfter;
    const signing = this.#stored?.kind === 'usable' ? this.#stored.cas.signing : undefined;
    return { leaf: end(this.#keeper.inUse?.certPem), authority: end(signing?.certPem) };
  }

  upkeep(): Upkeep {
    return { caBundleWrites: this.#log.caBundleWrites, clockOffsetMs: this.#time.offsetMs };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { namespace, configurationName } = this.#options;
    // They only say that a look is worth while: what is there is read afresh, at the latest at the next regular look.
    const wake = (): void => this.#wakeup.wake();
    const watched = { ...this.#options, shape: 'metadata', onObject: wake, onAbsent: wake } as const;
    const secret = { resource: secrets, namespace, name: this.#secretName };
    const configuration = {
      resource: validatingWebhookConfigurations,
      namespace: undefined,
      name: configurationName,
    };
    await Promise.all([
      watchObject({ ...watched, ...secret }).run(signal),
      watchObject({ ...watched, ...configuration }).run(signal),
      this.#loop(signal),
    ]);
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      await clock.sleep(this.#looks.wait(), signal);
      this.#looks.take();
      try {
        const restMs = await this.#look(signal);
        failures = 0;
        const longest = this.#time.agrees ? pollMs : clockPollMs;
        if (restMs > 0) await this.#wakeup.sleep(Math.min(restMs, longest), signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#log.complain(cannotKeepCurrent, errorFields(error));
        const asked = error instanceof ApiError ? Math.min(error.retryAfterMs ?? 0, failureBackoff.maxMs) : 0;
        // Not cut short by changes: they would make a failing look a hot loop.
        await clock.sleep(Math.max(asked, backoffMs(failures, failureBackoff, random)), signal);
        failures += 1;
      }
    }
  }

  /** Takes one step. Says for how many milliseconds there is nothing to do; 0: look again. */
  async #look(signal: AbortSignal): Promise<number> {
    const stored = await this.#store.read(signal, (time) => {
      this.#time.saw(time);
    });
    this.#stored = stored;
    const read = await this.#readBundle(stored, signal);
    const live = read.kind === 'present' ? read.live : undefined;
    const certificateRestMs = await this.#keep(stored, live);
    const now = this.#time.now();
    const step = nextStep({
      stored,
      live,
      trustedForMs: (certPem) => this.#trusted.forMs(certPem),
      inUse: this.#keeper.inUse?.caPem,
      policy: this.#policy,
      now,
      clockAgrees: this.#time.agrees,
    });
    this.#complainAbout(step);
    switch (step.kind) {
      case 'rest':
        return Math.min(step.forMs, certificateRestMs);
      case 'blocked':
        return Math.min(pollMs, certificateRestMs);
      case 'publish':
        if (
          read.kind === 'present' &&
          (await this.#bundle.write(read, step.caBundle, signal)) === 'written'
        ) {
          this.#log.caBundleWritten();
        }
        return 0;
      default:
        await this.#changeSecret(step, stored, now, signal);
        return 0;
    }
  }

  /** A configuration that cannot be read must not keep the serving certificate from being renewed. */
  async #readBundle(stored: StoredCas, signal: AbortSignal): Promise<ReadBundle> {
    try {
      const read = await this.#bundle.read(signal);
      this.#read = read;
      this.#trusted.saw(read.kind === 'present' ? read.live : undefined);
      return read;
    } catch (error) {
      await this.#keep(stored, this.#read?.kind === 'present' ? this.#read.live : undefined);
      throw error;
    }
  }

  /** Milliseconds until the serving certificate needs a look again. */
  async #keep(stored: StoredCas, live: LiveBundle | undefined): Promise<number> {
    if (stored.kind !== 'usable') return Number.POSITIVE_INFINITY;
    const { signing } = stored.cas;
    const view = { signing, live, trustedForMs: this.#trusted.forMs(signing.certPem), now: this.#time.now() };
    await this.#keeper.keep(view);
    const restMs = this.#keeper.restMs(view);
    return restMs > 0 ? restMs : Number.POSITIVE_INFINITY;
  }

  /** A write that loses against another replica is decided anew. */
  async #changeSecret(
    step: Extract<RotationStep, { kind: 'create' | 'introduce' | 'sign' }>,
    stored: StoredCas,
    now: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (stored.kind === 'absent') return;
    const cas = await step.content(() => makeCa(this.#policy, now, this.#options.material));
    const outcome = await this.#store.write(stored.secret, cas, signal);
    if (outcome === 'written') {
      this.#log.stepTaken(step.kind, stored.kind === 'unusable' ? { why: stored.why } : {});
    }
  }

  #complainAbout(step: RotationStep): void {
    if (step.kind === 'blocked') {
      this.#log.complain(cannotKeepCurrent, { advice: step.why });
    } else if (!this.#time.agrees) {
      this.#log.complain("this clock and the API server's disagree: no CA is replaced or removed", {
        advice: 'correct the clock that is wrong',
      });
    } else if (step.kind === 'rest') {
      this.#log.fine();
    }
  }
}

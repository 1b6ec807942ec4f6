import type { Clock, Random } from '../shared/clock.ts';
import { backoffMs } from '../shared/kube/backoff.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import { ApiError } from '../shared/kube/errors.ts';
import { secrets, validatingWebhookConfigurations } from '../shared/kube/resource.ts';
import { errorFields } from '../shared/log/error-fields.ts';
import type { Logger } from '../shared/logger.ts';
import { Wakeup } from '../shared/wakeup.ts';
import { trusted } from './authorities.ts';
import { makeAuthority } from './authority.ts';
import { CaBundle, type ReadBundle } from './ca-bundle.ts';
import { CaStore, type StoredAuthorities } from './ca-store.ts';
import { isCurrent, parseCertificate } from './certificate.ts';
import { changeWatch } from './change-watch.ts';
import type { KeyMaterial } from './key-material.ts';
import { LeafKeeper } from './leaf-keeper.ts';
import { bundleText, chainsTo } from './live-bundle.ts';
import { nextStep, type RotationStep, type RotationView, type SecretStep } from './rotation.ts';
import { contentAfter, needsAuthority } from './rotation-content.ts';
import { defaultRotationPolicy, type RotationPolicy } from './rotation-policy.ts';
import type { Expiry, ServingCertificate, ServingCertificates } from './serving-certificates.ts';
import { WriteBudget } from './write-budget.ts';

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
  /** A new leaf is to be served from now on. When it throws, the old one is taken to be in use still. */
  readonly onLeaf: (certificate: ServingCertificate) => void;
}

export const defaultCaSecretName = 'context-syncer-webhook-ca';

/** The longest time without a look, should a watch have missed something. */
const pollMs = 3_600_000;
/** A timer never ends sooner than this, so that a wrong clock cannot make a hot loop. */
const minWaitMs = 1_000;
/** The longest way, from nothing to rest, takes 5 steps; the rest is for races that are lost. */
const maxSteps = 20;
const failureBackoff = { baseMs: 500, maxMs: 60_000 };

/**
 * Keeps one replica's serving certificate, and its share of the common work: the CA Secret and the caBundle. Every
 * look reads both, decides one step, takes it, and reads again, until there is nothing to do.
 */
export class CertificateManager implements ServingCertificates {
  readonly #options: CertificateManagerOptions;
  readonly #policy: RotationPolicy;
  readonly #store: CaStore;
  readonly #bundle: CaBundle;
  readonly #keeper: LeafKeeper;
  readonly #wakeup: Wakeup;
  readonly #writes: WriteBudget;
  #stored: StoredAuthorities | undefined;
  #read: ReadBundle | undefined;
  #failures = 0;
  #lastFailure = '';

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    const { client, namespace, clock, material, secretName = defaultCaSecretName } = options;
    this.#policy = options.policy ?? defaultRotationPolicy;
    this.#store = new CaStore({ client, namespace, name: secretName });
    this.#bundle = new CaBundle({ client, name: options.configurationName });
    this.#wakeup = new Wakeup(clock);
    this.#writes = new WriteBudget({
      clock,
      random: options.random,
      periodMs: this.#policy.authorityLifeMs,
    });
    this.#keeper = new LeafKeeper({
      names: options.servingNames,
      policy: this.#policy,
      material,
      onIssued: (reason) => {
        options.logger.info('serving certificate issued', { reason });
      },
      serve: ({ certPem, keyPem, issuerPem }) => {
        options.onLeaf({ certPem, keyPem, caBundle: this.#trustedText() ?? issuerPem });
        options.logger.info('serving certificate in use');
      },
    });
  }

  problem(): string | undefined {
    const leaf = this.#keeper.inUse;
    const certificate = leaf === undefined ? undefined : parseCertificate(leaf.certPem);
    if (this.#stored?.kind === 'foreign-version' && leaf === undefined) {
      return 'the CA Secret was written by a later version';
    }
    if (leaf === undefined || certificate === undefined) return 'there is no serving certificate yet';
    if (!isCurrent(certificate, this.#options.clock.now())) return 'the serving certificate is not valid now';
    if (this.#read === undefined) return 'the webhook configuration could not be read yet';
    if (this.#read.kind === 'absent') return 'the webhook configuration does not exist';
    return chainsTo(leaf.certPem, this.#read.live)
      ? undefined
      : 'the caBundle of the webhook configuration does not hold the CA of the serving certificate';
  }

  expiry(): Expiry {
    const end = (pem: string | undefined): number | undefined =>
      pem === undefined ? undefined : parseCertificate(pem)?.notAfter;
    const authority = this.#stored?.kind === 'usable' ? this.#stored.authorities.signing.certPem : undefined;
    return { leaf: end(this.#keeper.inUse?.certPem), authority: end(authority) };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { namespace, configurationName, secretName = defaultCaSecretName } = this.#options;
    const onChange = (): void => this.#wakeup.wake();
    const watched = { ...this.#options, onChange };
    await Promise.all([
      changeWatch({ ...watched, resource: secrets, namespace, name: secretName }).run(signal),
      changeWatch({
        ...watched,
        resource: validatingWebhookConfigurations,
        namespace: undefined,
        name: configurationName,
      }).run(signal),
      this.#loop(signal),
    ]);
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      let wait = pollMs;
      let pause = this.#writes.pauseMs();
      try {
        const wakeAt = await this.#look(signal);
        wait = Math.min(pollMs, Math.max(minWaitMs, wakeAt - clock.now()));
        this.#failures = 0;
        this.#lastFailure = '';
        pause = this.#writes.pauseMs();
      } catch (error) {
        if (signal.aborted) return;
        const asked = error instanceof ApiError ? Math.min(error.retryAfterMs ?? 0, failureBackoff.maxMs) : 0;
        pause = Math.max(pause, asked, backoffMs(this.#failures, failureBackoff, random));
        wait = pause;
        this.#failures += 1;
        this.#complain(error);
      }
      // Not to be cut short by changes: somebody who undoes all that we write must not make us spin.
      await clock.sleep(pause, signal);
      await this.#wakeup.sleep(Math.max(0, wait - pause), signal);
    }
  }

  /** Steps until there is nothing to do; says when to look again, milliseconds since the epoch. */
  async #look(signal: AbortSignal): Promise<number> {
    for (let taken = 0; taken < maxSteps; taken += 1) {
      // A leaf lives from before the read on, and whoever retires its authority counts from a later moment.
      const asked = this.#options.clock.now();
      const stored = await this.#store.read(signal);
      this.#stored = stored;
      const read = await this.#readBundle(stored, asked, signal);
      // Anew, for this process may have been suspended meanwhile: a new authority must not seem to be of the future.
      const now = this.#options.clock.now();
      const live = read.kind === 'present' ? read.live : undefined;
      if (stored.kind === 'usable') await this.#keeper.keep(stored.authorities, live, { now, asked });
      const view = { stored, live, inUse: this.#keeper.inUse?.issuerPem, policy: this.#policy, now };
      const step = nextStep(view);
      if (step.kind === 'foreign-version') throw new LaterVersionError();
      if (step.kind === 'rest') {
        const signing = stored.kind === 'usable' ? stored.authorities.signing : undefined;
        return Math.min(
          step.wakeAt,
          signing === undefined ? Number.POSITIVE_INFINITY : this.#keeper.wakeAt(signing),
        );
      }
      await this.#take(step, view, { stored, read }, signal);
    }
    throw new UnsettledError();
  }

  /** A configuration that cannot be read must not keep the leaf from being renewed. */
  async #readBundle(stored: StoredAuthorities, asked: number, signal: AbortSignal): Promise<ReadBundle> {
    try {
      const read = await this.#bundle.read(signal);
      this.#read = read;
      return read;
    } catch (error) {
      const live = this.#read?.kind === 'present' ? this.#read.live : undefined;
      const now = this.#options.clock.now();
      if (stored.kind === 'usable') await this.#keeper.keep(stored.authorities, live, { now, asked });
      throw error;
    }
  }

  async #take(
    step: Exclude<RotationStep, { kind: 'rest' | 'foreign-version' }>,
    view: RotationView,
    base: { readonly stored: StoredAuthorities; readonly read: ReadBundle },
    signal: AbortSignal,
  ): Promise<void> {
    this.#writes.count();
    const outcome =
      step.kind === 'secret'
        ? await this.#writeSecret(step.step, view, base.stored, signal)
        : base.read.kind === 'present'
          ? await this.#bundle.write(base.read, step.caBundle, signal)
          : 'lost';
    const name = step.kind === 'secret' ? step.step : step.kind;
    if (outcome === 'lost') {
      this.#options.logger.debug('another replica was faster, reading again', { step: name });
    } else {
      const why = view.stored.kind === 'unusable' && name === 'replace' ? view.stored.why : undefined;
      this.#options.logger.info('step of the certificate rotation taken', { step: name, why });
    }
  }

  async #writeSecret(
    step: SecretStep,
    view: RotationView,
    stored: StoredAuthorities,
    signal: AbortSignal,
  ): Promise<'written' | 'lost'> {
    const made = needsAuthority(step)
      ? await makeAuthority(this.#policy, view.now, this.#options.material)
      : undefined;
    return await this.#store.write(stored, contentAfter(step, view, made), signal);
  }

  #trustedText(): string | undefined {
    return this.#stored?.kind === 'usable' ? bundleText(trusted(this.#stored.authorities)) : undefined;
  }

  /** The same failure is told once. */
  #complain(error: unknown): void {
    // Our own messages are constant, and say what to do.
    const own = error instanceof LaterVersionError || error instanceof UnsettledError;
    const fields = { ...errorFields(error), ...(own ? { advice: error.message } : {}) };
    const text = JSON.stringify(fields);
    if (text !== this.#lastFailure) {
      this.#lastFailure = text;
      this.#options.logger.error('certificates cannot be kept current, trying again', fields);
    }
  }
}

class LaterVersionError extends Error {
  override readonly name = 'LaterVersionError';
  constructor() {
    super('the CA Secret was written by a later version of this program; upgrade, or delete the Secret');
  }
}

class UnsettledError extends Error {
  override readonly name = 'UnsettledError';
  constructor() {
    super('the CA Secret and the caBundle did not settle: something else keeps changing them');
  }
}

import type { Clock, Random } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import { backoffMs } from '../backoff.ts';
import { AbortedError, CredentialsError } from '../errors.ts';
import type { ConnectionSettings } from '../kubeconfig/spec.ts';
import { buildCredentials, type Credentials, type MaterialTexts } from './credentials.ts';
import type { CredentialProvider, Obtained, ProviderName } from './provider.ts';
import { within } from './within.ts';

export interface CredentialKeeperOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called after each attempt of a provider whose credentials expire. */
  readonly onObtained: (provider: ProviderName, result: 'success' | 'failure') => void;
}

/** Who a connection is, as far as it is known. */
export interface CredentialState {
  readonly provider: ProviderName;
  readonly identity: string | undefined;
  /** Milliseconds since the Unix epoch; undefined when it is not known. */
  readonly expiresAt: number | undefined;
  /** What to do when the API server refuses the credentials: completes "its API server refuses …; ". */
  readonly advice: string;
}

/** An attempt that takes longer has failed, in milliseconds. */
const attemptTimeoutMs = 20_000;
/** A request waits this long for credentials, in milliseconds: then it fails with what is known. The attempt goes on. */
const waitMs = 5_000;
/** Between attempts that fail. Requests that come earlier get the last error at once. */
const retry = { baseMs: 1_000, maxMs: 30_000 };
/** Milliseconds between two renewals that a refusal asks for: a server that refuses us for good must not make us spin. */
const refusalPauseMs = 10_000;
/** Renewal is due after this part of the remaining life; the jitter keeps many contexts from renewing together. */
const renewal = { from: 0.7, jitter: 0.15, leastMs: 500 };

interface Held {
  readonly credentials: Credentials;
  readonly obtained: Obtained;
  /** When it may no longer be used without obtaining it again, on the monotonic clock. */
  readonly staleAt: number;
}

/**
 * Keeps the credentials of one connection current. One attempt at a time, which all callers share. What was obtained
 * last stays in use while nothing better can be had, until it expires.
 */
export class CredentialKeeper {
  readonly #settings: ConnectionSettings;
  readonly #provider: CredentialProvider;
  readonly #options: CredentialKeeperOptions;
  readonly #closing = new AbortController();
  #held: Held | undefined;
  #attempt: Promise<Credentials> | undefined;
  #failures = 0;
  /** The last attempt's, while none has succeeded since. */
  #failure: { readonly error: CredentialsError; readonly retryAt: number } | undefined;
  #complained: string | undefined;
  #refusedAt = -Infinity;
  #cancelRenewal: () => void = () => undefined;

  constructor(settings: ConnectionSettings, provider: CredentialProvider, options: CredentialKeeperOptions) {
    this.#settings = settings;
    this.#provider = provider;
    this.#options = options;
  }

  get state(): CredentialState {
    const { identity, expiresAt } = this.#held?.obtained ?? {};
    return { provider: this.#provider.name, identity, expiresAt, advice: this.#provider.advice(identity) };
  }

  /** The credentials without waiting, or undefined where they must be obtained first: then use `obtain`. */
  get current(): Credentials | undefined {
    const held = this.#held;
    return held !== undefined && this.#options.clock.monotonic() < held.staleAt
      ? held.credentials
      : undefined;
  }

  /** Throws CredentialsError where there are none to be had within 5 s, AbortedError after `close`. */
  async obtain(): Promise<Credentials> {
    return await this.#waitFor(this.#begin(false));
  }

  /** Credentials other than those that were just refused, or undefined where there is nothing new to try. */
  async renewed(refused: Credentials): Promise<Credentials | undefined> {
    const renewed =
      this.#held?.credentials === refused ? await this.#afterRefusal() : this.#held?.credentials;
    return renewed === refused ? undefined : renewed;
  }

  /** Nothing is renewed any more; an attempt under way is given up. */
  close(): void {
    this.#closing.abort();
    this.#cancelRenewal();
  }

  async #afterRefusal(): Promise<Credentials | undefined> {
    const now = this.#options.clock.monotonic();
    const { kind } = this.#provider.renewal;
    if (kind === 'never') {
      return undefined;
    }
    if (kind === 'expiry' && this.#attempt === undefined) {
      if (now - this.#refusedAt < refusalPauseMs) {
        return undefined;
      }
      this.#refusedAt = now;
    }
    try {
      return await this.#waitFor(this.#begin(true));
    } catch (error) {
      if (error instanceof CredentialsError) {
        // The caller's own refusal says more.
        return undefined;
      }
      throw error;
    }
  }

  #begin(fresh: boolean): Promise<Credentials> {
    const { clock } = this.#options;
    if (this.#closing.signal.aborted) {
      return Promise.reject(new AbortedError());
    }
    if (
      this.#attempt === undefined &&
      this.#failure !== undefined &&
      clock.monotonic() < this.#failure.retryAt
    ) {
      return Promise.reject(this.#failure.error);
    }
    this.#attempt ??= this.#renew(fresh).finally(() => {
      this.#attempt = undefined;
    });
    return this.#attempt;
  }

  async #renew(fresh: boolean): Promise<Credentials> {
    this.#cancelRenewal();
    try {
      const obtained = await this.#ask(fresh);
      const held = this.#held?.credentials;
      const credentials =
        held !== undefined && sameTexts(held.texts, obtained.texts)
          ? held
          : buildCredentials(this.#settings, obtained.texts);
      this.#throwIfClosed();
      this.#take(credentials, obtained);
      return credentials;
    } catch (error) {
      this.#throwIfClosed();
      return this.#goOnWithout(
        error instanceof CredentialsError
          ? error
          : new CredentialsError(`the credentials could not be obtained (${nameOf(error)})`),
      );
    }
  }

  /** One attempt of the provider, within its time. */
  async #ask(fresh: boolean): Promise<Obtained> {
    const { clock } = this.#options;
    const { name, renewal } = this.#provider;
    const attempt = new AbortController();
    const obtained = await within(
      this.#provider.obtain({ fresh, signal: AbortSignal.any([attempt.signal, this.#closing.signal]) }),
      { clock, ms: attemptTimeoutMs, signal: this.#closing.signal },
      () => {
        attempt.abort();
        return new CredentialsError(`${sourceOf[name]} did not answer within ${attemptTimeoutMs / 1000} s`);
      },
    );
    if (renewal.kind === 'expiry' && (obtained.expiresAt ?? Infinity) <= clock.now()) {
      throw new CredentialsError(
        `${sourceOf[name]} gave credentials that have expired at ${new Date(obtained.expiresAt ?? 0).toISOString()}; compare the clocks`,
      );
    }
    return obtained;
  }

  #take(credentials: Credentials, obtained: Obtained): void {
    const { logger, clock, random, onObtained } = this.#options;
    const { name, renewal: when } = this.#provider;
    const before = this.#held;
    const now = clock.monotonic();
    const lifeMs = (obtained.expiresAt ?? Infinity) - clock.now();
    const staleAfterMs = { never: Infinity, look: when.kind === 'look' ? when.everyMs : 0, expiry: lifeMs };
    this.#held = { credentials, obtained, staleAt: now + staleAfterMs[when.kind] };
    this.#failures = 0;
    this.#failure = undefined;
    this.#complained = undefined;
    const fields = {
      server: this.#settings.server,
      provider: name,
      identity: obtained.identity,
      expiresAt: obtained.expiresAt === undefined ? undefined : new Date(obtained.expiresAt).toISOString(),
    };
    if (when.kind === 'expiry') {
      onObtained(name, 'success');
      if (Number.isFinite(lifeMs)) {
        this.#schedule(Math.max(renewal.leastMs, lifeMs * (renewal.from + renewal.jitter * random())));
      }
      if (before === undefined || before.obtained.identity !== obtained.identity) {
        logger.info('credentials obtained', fields);
      } else {
        logger.debug('credentials renewed', fields);
      }
    } else if (before !== undefined && before.credentials !== credentials) {
      logger.info('credential files changed', fields);
    }
  }

  /** Yields what is still good after a failed attempt; throws where nothing is. */
  #goOnWithout(error: CredentialsError): Credentials {
    const { logger, clock, random, onObtained } = this.#options;
    const { name, renewal: when } = this.#provider;
    const now = clock.monotonic();
    if (when.kind === 'expiry') {
      onObtained(name, 'failure');
      const pauseMs = backoffMs(this.#failures, retry, random);
      this.#failures += 1;
      this.#failure = { error, retryAt: now + pauseMs };
      this.#schedule(pauseMs);
    }
    if (this.#complained !== error.message) {
      this.#complained = error.message;
      logger.warn(
        this.#held === undefined
          ? 'no credentials can be obtained'
          : 'credentials cannot be renewed, the last good ones stay in use',
        { server: this.#settings.server, provider: name, problem: error.message },
      );
    }
    const held = this.#held;
    if (held !== undefined && when.kind === 'look') {
      this.#held = { ...held, staleAt: now + when.everyMs };
      return held.credentials;
    }
    if (held !== undefined && now < held.staleAt) {
      return held.credentials;
    }
    throw error;
  }

  #schedule(ms: number): void {
    this.#cancelRenewal = this.#options.clock.schedule(ms, () => {
      if (this.#failure !== undefined) {
        this.#failure = { ...this.#failure, retryAt: -Infinity };
      }
      // Its failure is logged, remembered and tried again.
      this.#begin(false).catch(() => undefined);
    });
  }

  async #waitFor(attempt: Promise<Credentials>): Promise<Credentials> {
    return await within(
      attempt,
      { clock: this.#options.clock, ms: waitMs },
      // The same words as before, where there are some: a problem that changes its words looks like another one.
      () =>
        this.#failure?.error ??
        new CredentialsError(
          `${sourceOf[this.#provider.name]} has not answered within ${waitMs / 1000} s yet`,
        ),
    );
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) {
      throw new AbortedError();
    }
  }
}

const sourceOf: Readonly<Record<ProviderName, string>> = {
  kubeconfig: 'the file system',
  eks: 'AWS',
  gke: 'Google Cloud',
  aks: 'Microsoft Entra ID',
  exec: 'the exec plugin',
};

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function sameTexts(a: MaterialTexts, b: MaterialTexts): boolean {
  return a.ca === b.ca && a.certificate === b.certificate && a.key === b.key && a.token === b.token;
}

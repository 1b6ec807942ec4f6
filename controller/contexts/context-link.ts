import type { Clock, Random } from '../../shared/clock.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { CredentialState } from '../../shared/kube/credentials/credential-keeper.ts';
import { CredentialsError, isApiError, TransportError } from '../../shared/kube/errors.ts';
import { errorFields } from '../../shared/log/error-fields.ts';
import type { Logger } from '../../shared/logger.ts';
import { Wakeup } from '../../shared/wakeup.ts';
import { type ClusterEvidence, isIdentity, refined } from './evidence.ts';
import { probeCluster, SourceSilentError } from './probe.ts';

/** Milliseconds between two looks at a cluster that answers. */
const heartbeatMs = 20_000;
/** A probe that takes longer counts as no answer, in milliseconds. */
const probeTimeoutMs = 4_000;
const backoff = { baseMs: 300, maxMs: 8_000 };
/** One lost probe is a hiccup; two in a row are an outage. */
const failuresUntilDown = 2;

/**
 * - `settling`: the first attempt to reach the cluster is under way.
 * - `up`: it answered last time.
 * - `down`: it did not; nothing is sent until a probe succeeds (this is the circuit breaker).
 */
export type LinkState = 'settling' | 'up' | 'down';

export interface ContextLinkOptions {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly server: string;
  readonly fingerprint: string;
  readonly client: KubeClient;
  /** Uid of a namespace on the source cluster; undefined where there is none of that name. */
  readonly sourceNamespaceUid: (namespace: string) => Promise<string | undefined>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called after every change of state or evidence. */
  readonly onChange: (link: ContextLink) => void;
}

/**
 * The way to a target cluster by one context: its connection, whether it answers, and who the cluster says it is.
 * The identity is asked for again all the time: an address can come to mean another cluster.
 */
export class ContextLink {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly server: string;
  readonly fingerprint: string;
  readonly client: KubeClient;
  readonly #options: ContextLinkOptions;
  readonly #wakeup: Wakeup;
  #state: LinkState = 'settling';
  #evidence: ClusterEvidence | undefined;
  #problem: string | undefined;
  #downSince: number | undefined;
  #credentialsFail = false;
  #failures = 0;

  constructor(options: ContextLinkOptions) {
    this.name = options.name;
    this.namespace = options.namespace;
    this.server = options.server;
    this.fingerprint = options.fingerprint;
    this.client = options.client;
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** The last known identity; it outlives an outage. */
  get evidence(): ClusterEvidence | undefined {
    return this.#evidence;
  }

  /** Why the cluster cannot be reached at present, as a sentence; undefined while it can. */
  get problem(): string | undefined {
    return this.#state === 'down' ? this.#problem : undefined;
  }

  /**
   * Since when it cannot be reached, in milliseconds since the Unix epoch; undefined while it can, and where the credentials are at
   * fault: they are a problem of the context, with words of what to do.
   */
  get downSince(): number | undefined {
    return this.#credentialsFail ? undefined : this.#downSince;
  }

  /** A request found no answer: look at once whether the cluster is still there. */
  suspect(): void {
    this.#wakeup.wake();
  }

  /** Watches over the cluster until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      const pauseMs = await this.#probe(signal);
      if (!signal.aborted) {
        await this.#wakeup.sleep(pauseMs ?? heartbeatMs * (0.8 + 0.4 * random()), signal);
        // Requests that fail together must not turn into a burst of probes.
        await clock.sleep(this.#failures === 0 ? 0 : 50, signal);
      }
    }
  }

  /** Yields the back-off in milliseconds after a failure, undefined after a success. */
  async #probe(signal: AbortSignal): Promise<number | undefined> {
    try {
      const evidence = await probeCluster(this.client, this.namespace, this.#options.sourceNamespaceUid, {
        signal,
        timeoutMs: probeTimeoutMs,
      });
      if (!isIdentity(evidence)) {
        // By its URL alone the source cluster would pass for a target as soon as it has a second address.
        throw new UnidentifiedError(this.namespace ?? 'default');
      }
      this.#failures = 0;
      this.#become('up', undefined, refined(this.#evidence, evidence));
      return undefined;
    } catch (error) {
      if (signal.aborted) {
        return undefined;
      }
      if (error instanceof SourceSilentError && this.#state === 'up') {
        return backoffMs(0, backoff, this.#options.random);
      }
      const failures = this.#failures;
      this.#failures += 1;
      const hiccup =
        this.#state === 'up' && this.#failures < failuresUntilDown && error instanceof TransportError;
      if (!hiccup) {
        this.#become('down', describe(error, this.client.credential), this.#evidence, error);
      }
      return hiccup ? 0 : backoffMs(failures, backoff, this.#options.random);
    }
  }

  #become(
    state: LinkState,
    problem: string | undefined,
    evidence: ClusterEvidence | undefined,
    error?: unknown,
  ): void {
    const changed =
      state !== this.#state ||
      problem !== this.#problem ||
      JSON.stringify(evidence) !== JSON.stringify(this.#evidence);
    if (!changed) {
      return;
    }
    const { logger } = this.#options;
    if (state !== this.#state) {
      if (state === 'up') {
        logger.info('target cluster answers', { context: this.name, server: this.server });
      } else {
        logger.warn('target cluster cannot be reached', {
          context: this.name,
          server: this.server,
          ...errorFields(error),
        });
      }
    }
    if (state !== this.#state) {
      this.#downSince = state === 'down' ? this.#options.clock.now() : undefined;
    }
    this.#state = state;
    this.#credentialsFail = isOfCredentials(error);
    this.#problem = problem;
    this.#evidence = evidence;
    this.#options.onChange(this);
  }
}

/** True where nothing but other credentials, or rights for these, can help. */
function isOfCredentials(error: unknown): boolean {
  return (
    isApiError(error, 'Unauthorized') ||
    (error instanceof TransportError &&
      (error.reason === 'CredentialsUnusable' || error.reason === 'ClientCertificateRefused'))
  );
}

/** The cluster answers, and lets us read nothing that says who it is. */
class UnidentifiedError extends Error {
  override readonly name = 'UnidentifiedError';

  constructor(namespace: string) {
    super(
      `its API server does not say which cluster it is: grant get on namespace "${namespace}", or on ConfigMap kube-root-ca.crt in it`,
    );
  }
}

function describe(error: unknown, credential: CredentialState | undefined): string {
  if (error instanceof SourceSilentError) {
    return 'the source cluster does not answer, with which it has to be compared first';
  }
  if (error instanceof UnidentifiedError) {
    return error.message;
  }
  if (isApiError(error, 'Unauthorized')) {
    return `its API server refuses the credentials (401 Unauthorized); ${credential?.advice ?? 'renew them in the kubeconfig'}`;
  }
  if (isApiError(error)) {
    return `its API server answers ${error.status} ${error.reason}`;
  }
  if (error instanceof TransportError) {
    return error.cause instanceof CredentialsError ? error.cause.message : transportProblems[error.reason];
  }
  return 'its API server gives no usable answer';
}

const transportProblems: Readonly<Record<TransportError['reason'], string>> = {
  ConnectionRefused: 'its API server refuses connections',
  ConnectionReset: 'its API server breaks connections off',
  NameNotResolved: "its API server's host name cannot be resolved",
  Timeout: 'its API server does not answer in time',
  CertificateNotTrusted:
    "its API server's certificate is not trusted; check certificate-authority-data and tls-server-name in the kubeconfig",
  ClientCertificateRefused: 'its API server refuses the client certificate; renew it in the kubeconfig',
  CredentialsUnusable: 'the credentials in the kubeconfig cannot be used',
  MalformedAnswer: 'what answers at its address is not a Kubernetes API server',
  Other: 'its API server cannot be reached',
};

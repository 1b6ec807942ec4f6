import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { Wakeup } from '../../shared/wakeup.ts';
import { type ClusterEvidence, isIdentity, refined } from './evidence.ts';
import { describeLinkFailure, isOfCredentials, UnidentifiedError } from './link-problem.ts';
import { isStillCluster, probeCluster } from './probe.ts';

/**
 * Milliseconds between two looks at a cluster that answers. Watches and writes find an outage sooner, and call for a
 * look at once; this one finds an address that came to mean another cluster without a broken connection.
 */
const healthyMs = 90_000;
/** A probe that takes longer counts as no answer, in milliseconds. */
const probeTimeoutMs = 4_000;
const backoff = { baseMs: 300, maxMs: 8_000 };
/** One lost probe is a hiccup; two in a row are an outage. */
const failuresUntilDown = 2;

/**
 * - `settling`: the first attempt to reach the cluster through this connection is under way; nothing is written until it succeeds.
 * - `up`: it answered last time.
 * - `down`: it did not; nothing is sent until a probe succeeds (this is the circuit breaker).
 */
export type LinkState = 'settling' | 'up' | 'down';

/** What is known of a link. It passes to the successor of a link whose credentials changed. */
export interface LinkStatus {
  readonly state: LinkState;
  /** The last known identity; it outlives an outage. */
  readonly evidence: ClusterEvidence | undefined;
  /** Why the cluster cannot be reached at present, as a sentence; undefined while it can. */
  readonly problem: string | undefined;
  /**
   * Since when it cannot be reached, in milliseconds since the Unix epoch; undefined while it can, and where the
   * credentials are at fault: these are a problem of the context, with words of what to do.
   */
  readonly downSince: number | undefined;
}

export const newLinkStatus: LinkStatus = {
  state: 'settling',
  evidence: undefined,
  problem: undefined,
  downSince: undefined,
};

export interface ContextLinkOptions {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly server: string;
  readonly client: KubeClient;
  /** What is known at the start. */
  readonly status: LinkStatus;
  /** Uid of a namespace on the source cluster; undefined where there is none of that name. */
  readonly sourceNamespaceUid: (namespace: string) => Promise<string | undefined>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called after every change of the status, with the one before. */
  readonly onChange: (before: LinkStatus) => void;
}

/**
 * The connection to a target cluster through one context: whether it answers, and which cluster it says it is. The identity is asked
 * for again and again: an address can come to mean another cluster.
 */
export class ContextLink {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly server: string;
  readonly client: KubeClient;
  readonly #options: ContextLinkOptions;
  readonly #wakeup: Wakeup;
  #status: LinkStatus;
  #failures = 0;

  constructor(options: ContextLinkOptions) {
    this.name = options.name;
    this.namespace = options.namespace;
    this.server = options.server;
    this.client = options.client;
    this.#options = options;
    this.#status = options.status;
    this.#wakeup = new Wakeup(options.clock);
  }

  get status(): LinkStatus {
    return this.#status;
  }

  get state(): LinkState {
    return this.#status.state;
  }

  get evidence(): ClusterEvidence | undefined {
    return this.#status.evidence;
  }

  get problem(): string | undefined {
    return this.#status.problem;
  }

  /** A request found no answer, or a connection ended: look at once whether this still is the cluster, and answers. */
  suspect(): void {
    this.#wakeup.wake();
  }

  /** Watches over the cluster until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      const pauseMs = await this.#probe(signal);
      if (!signal.aborted) {
        await this.#wakeup.sleep(pauseMs ?? healthyMs * (0.8 + 0.4 * random()), signal);
        // Requests that fail together must not turn into a burst of probes.
        await clock.sleep(this.#failures === 0 ? 0 : 50, signal);
      }
    }
  }

  /** Yields the back-off in milliseconds after a failure, undefined after a success. */
  async #probe(signal: AbortSignal): Promise<number | undefined> {
    const { evidence: known, state } = this.#status;
    try {
      const evidence = await this.#identify(known, signal);
      this.#failures = 0;
      this.#become({ state: 'up', evidence, problem: undefined, downSince: undefined });
      return undefined;
    } catch (error) {
      if (signal.aborted) {
        return undefined;
      }
      if (state === 'up' && isApiError(error, 'TooManyRequests')) {
        // It answers; asking less is what it wants.
        return error.retryAfterMs ?? backoff.maxMs;
      }
      const failures = this.#failures;
      this.#failures += 1;
      const hiccup = state === 'up' && this.#failures < failuresUntilDown && error instanceof TransportError;
      if (!hiccup) {
        this.#become(
          {
            state: 'down',
            evidence: known,
            problem: describeLinkFailure(error, this.client.credential),
            downSince: isOfCredentials(error)
              ? undefined
              : (this.#status.downSince ?? this.#options.clock.now()),
          },
          error,
        );
      }
      return hiccup ? 0 : backoffMs(failures, backoff, this.#options.random);
    }
  }

  async #identify(known: ClusterEvidence | undefined, signal: AbortSignal): Promise<ClusterEvidence> {
    const { client, namespace } = this;
    const options = { signal, timeoutMs: probeTimeoutMs };
    if (this.state === 'up' && known !== undefined && (await isStillCluster(client, known, options))) {
      return known;
    }
    const evidence = await probeCluster(client, namespace, this.#options.sourceNamespaceUid, options);
    if (!isIdentity(evidence)) {
      // By its URL alone the source cluster would pass for a target as soon as it has a second address.
      throw new UnidentifiedError(namespace ?? 'default');
    }
    return refined(known, evidence);
  }

  #become(status: LinkStatus, error?: unknown): void {
    const before = this.#status;
    if (JSON.stringify(before) === JSON.stringify(status)) {
      return;
    }
    const { logger } = this.#options;
    if (status.state !== before.state) {
      if (status.state === 'up') {
        logger.info('target cluster answers', { context: this.name, server: this.server });
      } else {
        logger.warn('target cluster cannot be reached', {
          context: this.name,
          server: this.server,
          ...errorFields(error),
        });
      }
    }
    this.#status = status;
    this.#options.onChange(before);
  }
}

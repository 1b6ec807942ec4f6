import { ContextPolicies } from '../shared/catalog/context-policies.ts';
import type { Clock, Random } from '../shared/clock.ts';
import { serveHealthAndMetrics } from '../shared/http/health-and-metrics.ts';
import type { HealthCheck } from '../shared/http/health-route.ts';
import { keysOf } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import { connect } from '../shared/kube/connection.ts';
import type { ConnectionSpec } from '../shared/kube/connection-spec.ts';
import { createEventRecorder } from '../shared/kube/event-recorder.ts';
import { ownClusterSpec } from '../shared/kube/given-kubeconfig.ts';
import type { ContextEntry } from '../shared/kube/kubeconfig.ts';
import { runWithLease } from '../shared/kube/lease.ts';
import type { Logger } from '../shared/logger.ts';
import type { ControllerSettings } from '../shared/settings/controller-settings.ts';
import { StartupError } from '../shared/settings/startup-error.ts';
import { CatalogPublisher } from './contexts/catalog-publisher.ts';
import { ContextsSource, checkContexts } from './contexts/contexts-source.ts';
import { Engine } from './engine.ts';
import { ControllerMetrics } from './observe/controller-metrics.ts';
import { Reporter } from './observe/reporter.ts';
import { identifySource, sourceNamespaceUid } from './source/source-identity.ts';
import { loadStampKey } from './source/stamp-key.ts';

/** One Lease for the one shard that there is: all lanes. */
const leaseName = 'context-syncer-controller';

/** What the process gives to the controller. */
export interface ControllerEnvironment {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Unique to this process: the holder's name in the Lease. */
  readonly identity: string;
  readonly version: string;
  readonly inCluster: { readonly host?: string | undefined; readonly port?: string | undefined };
}

/**
 * Runs the controller until the signal aborts. Throws StartupError for input that nobody can work with: a kubeconfig
 * that is missing or unusable, an address that is taken. Everything that can heal is waited for.
 */
export async function runController(
  settings: ControllerSettings,
  environment: ControllerEnvironment,
): Promise<void> {
  const { logger, clock, signal } = environment;
  const connectTo = (spec: ConnectionSpec): KubeClient =>
    connect(spec, { clock, logger, userAgent: `context-syncer/${environment.version}` });
  const spec = await withAllProblems(
    ownClusterSpec(settings.kubeconfig, environment.inCluster),
    checkContexts(settings.contexts),
  );
  const client = connectTo(spec);
  const stopping = new AbortController();
  const stop = AbortSignal.any([signal, stopping.signal]);
  try {
    await new Controller(settings, environment, client, connectTo).run(stop);
  } finally {
    stopping.abort();
    await client.close();
  }
}

/** The parts of one controller process, and what they know of each other. */
class Controller {
  readonly #settings: ControllerSettings;
  readonly #environment: ControllerEnvironment;
  readonly #client: KubeClient;
  readonly #connect: (spec: ConnectionSpec) => KubeClient;
  readonly #metrics: ControllerMetrics;
  #engine: Engine | undefined;
  #reporter: Reporter | undefined;
  #contexts: readonly ContextEntry[] | undefined;
  #eventsDropped: () => number = () => 0;
  #leading = false;

  constructor(
    settings: ControllerSettings,
    environment: ControllerEnvironment,
    client: KubeClient,
    connectTo: (spec: ConnectionSpec) => KubeClient,
  ) {
    this.#settings = settings;
    this.#environment = environment;
    this.#client = client;
    this.#connect = connectTo;
    this.#metrics = new ControllerMetrics(
      {
        lanes: () => this.#engine?.lanes.values() ?? [],
        contexts: () => this.#contextStates(),
        sources: () => this.#engine?.sources.size ?? 0,
        problems: () => this.#reporter?.counts() ?? new Map<string, number>(),
        eventsDropped: () => this.#eventsDropped(),
        leading: () => this.#leading,
      },
      { leaseName, clock: environment.clock },
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const { logger, clock, random } = this.#environment;
    const contexts = new ContextsSource({
      setting: this.#settings.contexts,
      client: this.#client,
      clock,
      random,
      logger,
      onContexts: (entries) => {
        this.#contexts = entries;
        this.#engine?.useContexts(entries);
      },
      onRead: (result) => {
        this.#metrics.kubeconfigRead(result);
      },
    });
    const endpoints = await serveHealthAndMetrics({
      ...this.#settings,
      livez: [],
      readyz: this.#readiness(),
      metrics: this.#metrics.registry,
      logger,
    });
    logger.info('health and metrics are served', {
      healthPort: endpoints.healthPort,
      metricsPort: endpoints.metricsPort,
    });
    try {
      await Promise.all([contexts.run(signal), this.#work(signal)]);
    } finally {
      await endpoints.stop();
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { leaderElect, namespace } = this.#settings;
    const { logger, clock, random, identity } = this.#environment;
    if (!leaderElect) {
      await this.#lead(signal);
      return;
    }
    await runWithLease(
      { client: this.#client, namespace, name: leaseName, identity, clock, random, logger },
      (leading) => this.#lead(leading),
      signal,
    );
  }

  /** One term of leadership. */
  async #lead(signal: AbortSignal): Promise<void> {
    const { namespace, clusterName, annotationPrefix, policies, policyDefault } = this.#settings;
    const { logger, clock, random, identity } = this.#environment;
    this.#leading = true;
    try {
      const client = this.#client;
      const identified = await identifySource({ client, clock, random, logger, signal });
      if (identified === undefined) {
        return;
      }
      const recorder = createEventRecorder({
        client,
        component: 'context-syncer',
        instance: identity,
        clock,
        random,
        logger,
      });
      this.#eventsDropped = () => recorder.dropped;
      const reporter = new Reporter({ events: recorder, logger, metrics: this.#metrics });
      const catalog = new CatalogPublisher({ client, namespace, clock, random, logger });
      const engine = new Engine({
        source: {
          client,
          cluster: { uid: identified.uid, name: clusterName },
          evidence: identified.evidence,
          namespaceUid: (name) => sourceNamespaceUid(client, name),
        },
        keys: keysOf(annotationPrefix),
        stampKey: await loadStampKey(client, namespace, logger),
        ownNamespace: namespace,
        catalogSettings: {
          policies: new ContextPolicies(policies, policyDefault),
          installation: { annotationPrefix, namespace },
        },
        connect: this.#connect,
        contexts: this.#contexts,
        reporter,
        onCatalog: (contexts) => {
          catalog.publish(contexts);
        },
        clock,
        random,
        logger,
        signal,
      });
      this.#engine = engine;
      this.#reporter = reporter;
      logger.info('propagation started', { clusterName, clusterUID: identified.uid });
      await Promise.all([engine.run(), recorder.run(signal), catalog.run(signal)]);
      logger.info('propagation stopped');
    } finally {
      this.#leading = false;
      this.#engine = undefined;
      this.#reporter = undefined;
    }
  }

  /** A replica that stands by is ready; one that leads is once its work is under way. A target that is down does not count. */
  #readiness(): readonly HealthCheck[] {
    return [
      {
        name: 'kubeconfig',
        check: () =>
          this.#contexts === undefined ? 'no usable kubeconfig with target contexts yet' : undefined,
      },
      {
        name: 'sources',
        check: () =>
          this.#leading && this.#engine?.ready !== true ? 'the source cluster is not listed yet' : undefined,
      },
    ];
  }

  *#contextStates(): Iterable<{ name: string; state: 'settling' | 'up' | 'down' | 'unusable' }> {
    for (const { name } of this.#contexts ?? []) {
      yield { name, state: this.#engine?.registry.link(name)?.state ?? 'unusable' };
    }
  }
}

/** What `wanted` yields once `check` has passed, too; throws one StartupError with the problems of both. */
async function withAllProblems<T>(wanted: Promise<T>, check: Promise<void>): Promise<T> {
  const results = await Promise.allSettled([wanted, check]);
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  const problems = failures.flatMap((failure) => (failure instanceof StartupError ? failure.problems : []));
  for (const failure of failures) {
    if (failure instanceof Error && !(failure instanceof StartupError)) {
      throw failure;
    }
  }
  if (problems.length > 0) {
    throw new StartupError(problems, { cause: failures[0] });
  }
  return await wanted;
}

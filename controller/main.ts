import { serveHealthAndMetrics } from '../shared/http/health-and-metrics.ts';
import type { HealthCheck } from '../shared/http/health-route.ts';
import { keysOf } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import { type ConnectOptions, connect } from '../shared/kube/connection/connection.ts';
import { createIssuers, type Issuers } from '../shared/kube/credentials/issuers.ts';
import type { ContextEntry } from '../shared/kube/kubeconfig/kubeconfig.ts';
import type { ConnectionSpec } from '../shared/kube/kubeconfig/spec.ts';
import { leases } from '../shared/kube/resource.ts';
import type { ProcessEnvironment } from '../shared/process-environment.ts';
import { ownClusterSpec } from '../shared/settings/given-kubeconfig.ts';
import { StartupError } from '../shared/settings/startup-error.ts';
import { checkContexts, KubeconfigWatch } from './contexts/kubeconfig-watch.ts';
import { type Lead, runWithLeases } from './lease/lease.ts';
import { ControllerMetrics, type MetricsSources } from './observe/controller-metrics.ts';
import type { ControllerSettings } from './settings/settings.ts';
import { leaseNames } from './shards.ts';
import { SharedTerm } from './shared-term.ts';
import { confirmSource, IdentityCheck, OtherClusterError } from './source/identity-check.ts';
import { KnownSource } from './source/known-source.ts';
import { MarkReader } from './source/mark-reader.ts';
import { markingClient, readMark } from './source/marking-client.ts';
import { provenWrites } from './source/proven-writes.ts';
import { identifySource, kubeSystemUid, type SourceIdentity } from './source/source-identity.ts';
import { followWhileStandingBy } from './source/standby.ts';
import { Term } from './term.ts';

/**
 * Runs the controller until the signal aborts. Throws StartupError for input that nobody can work with: a kubeconfig
 * that is missing or unusable, an address that is taken. Everything that can heal is waited for.
 */
export async function runController(
  settings: ControllerSettings,
  environment: ProcessEnvironment,
): Promise<void> {
  const { signal } = environment;
  const spec = await withAllProblems(
    ownClusterSpec(settings.kubeconfig, environment.inCluster),
    checkContexts(settings.contexts),
  );
  const openSource = connector(environment, () => undefined);
  const controller = new Controller(settings, environment, (options) => openSource(spec, options));
  const stopping = new AbortController();
  const stop = AbortSignal.any([signal, stopping.signal]);
  try {
    await controller.run(stop);
  } finally {
    stopping.abort();
    await controller.close();
  }
}

type SourceOptions = Pick<ConnectOptions, 'keepAlive' | 'onConnected'>;

/** Opens connections whose credentials are obtained as they need it. */
function connector(
  { clock, random, logger, credentialEnvironment, version }: ProcessEnvironment,
  onObtained: Issuers['onObtained'],
): (spec: ConnectionSpec, options?: SourceOptions) => KubeClient {
  const issuers = createIssuers({ clock, random, logger, environment: credentialEnvironment, onObtained });
  return (spec, options = {}) =>
    connect(spec, { ...options, clock, logger, issuers, userAgent: `context-syncer/${version}` });
}

/** The parts of one controller process, and what they know of each other. */
class Controller {
  readonly #settings: ControllerSettings;
  readonly #environment: ProcessEnvironment;
  readonly #client: KubeClient;
  readonly #connect: (spec: ConnectionSpec) => KubeClient;
  readonly #openSource: (options?: SourceOptions) => KubeClient;
  /** Opens a connection for each request, see IdentityCheck. */
  readonly #identityClient: KubeClient;
  readonly #mark: MarkReader;
  readonly #source: KnownSource;
  readonly #metrics: ControllerMetrics;
  /** By shard. That of shard 0 is the mark of the source, too. */
  readonly #leaseNames: ReturnType<typeof leaseNames>;
  /** Undefined before the source cluster was identified. */
  #terms: SharedTerm<Term> | undefined;
  #contexts: readonly ContextEntry[] | undefined;
  /** Of the last term, which ended before it was written. */
  #unwrittenState: string | undefined;

  constructor(
    settings: ControllerSettings,
    environment: ProcessEnvironment,
    openSource: (options?: SourceOptions) => KubeClient,
  ) {
    this.#settings = settings;
    this.#environment = environment;
    this.#openSource = openSource;
    this.#identityClient = openSource({ keepAlive: false });
    this.#client = openSource({
      // An address can lead to another cluster for a moment that no other look falls into: what was opened then would stay.
      onConnected: () => {
        check.confirm().catch(() => undefined);
      },
    });
    this.#source = new KnownSource(this.#client.server, environment.logger, () => {
      this.#client.reconnect();
    });
    const check = new IdentityCheck({
      clock: environment.clock,
      source: this.#source,
      readUid: () => this.#readSourceUid(undefined),
    });
    this.#leaseNames = leaseNames(settings.shards);
    const [name] = this.#leaseNames;
    const lease = { resource: leases, namespace: settings.namespace, name };
    this.#mark = new MarkReader(environment.clock, () =>
      readMark(markingClient(this.#identityClient, this.#source, name), lease),
    );
    this.#metrics = new ControllerMetrics(
      {
        lanes: () => this.#terms?.current?.engine.lanes.values() ?? [],
        contexts: () => this.#contextStates(),
        sources: () => this.#terms?.current?.engine.sources.size ?? 0,
        problems: () => this.#terms?.current?.reporter.counts() ?? new Map<string, number>(),
        eventsDropped: () => this.#terms?.current?.events.dropped ?? 0,
        leases: () => this.#leaseNames.map((name, shard) => [name, this.#holds(shard)] as const),
        sourceIsOther: () => this.#source.problem !== undefined,
      },
      { clock: environment.clock },
    );
    this.#connect = connector(environment, (provider, result) => {
      this.#metrics.credentialsObtained(provider, result);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { logger, clock, random } = this.#environment;
    const contexts = new KubeconfigWatch({
      setting: this.#settings.contexts,
      plugins: this.#settings.allowExec,
      client: this.#client,
      confirm: () => this.#confirmRead(),
      clock,
      random,
      logger,
      onContexts: (entries) => {
        this.#contexts = entries;
        this.#terms?.current?.engine.useContexts(entries);
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
      await Promise.all([contexts.run(signal), this.#work(signal), this.#standBy(signal)]);
    } finally {
      await endpoints.stop();
    }
  }

  /** Ends the connections to the source cluster. */
  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.#identityClient.close()]);
  }

  /** Throws where what was read a moment ago can be another cluster's. */
  async #confirmRead(): Promise<void> {
    const wasOther = this.#source.problem !== undefined;
    await confirmSource({ source: this.#source, readUid: () => this.#readSourceUid(undefined) });
    if (wasOther) {
      throw new OtherClusterError();
    }
  }

  /** The uid of kube-system over a connection of its own, see IdentityCheck; a restore is noticed on this occasion. */
  async #readSourceUid(signal: AbortSignal | undefined): Promise<string> {
    let flowSchema: string | undefined;
    const uid = await kubeSystemUid(this.#identityClient, {
      signal,
      onFlowSchema: (seen) => {
        flowSchema = seen;
      },
    });
    if (uid === this.#source.uid) {
      this.#source.noteFlowSchema(flowSchema);
    }
    if (this.#settings.leaderElect && this.#source.uid === uid) {
      await this.#mark.read();
    }
    return uid;
  }

  /** Leases are written to the source cluster only: see `provenWrites`. */
  #leaseClient(): ReturnType<typeof markingClient> {
    const [client, source] = [this.#identityClient, this.#source];
    const writes = provenWrites(client, (signal) =>
      confirmSource({ source, readUid: () => this.#readSourceUid(signal) }),
    );
    const reads: Pick<KubeClient, 'get' | 'list'> = {
      get: (...request) => client.get(...request),
      list: (...request) => client.list(...request),
    };
    return markingClient({ ...writes, ...reads }, source, this.#leaseNames[0]);
  }

  async #standBy(signal: AbortSignal): Promise<void> {
    await followWhileStandingBy({
      client: this.#client,
      source: this.#source,
      readUid: () => this.#readSourceUid(signal),
      standsBy: () => this.#settings.leaderElect && !this.#leads,
      clock: this.#environment.clock,
      signal,
    });
  }

  /** A term can end because another cluster answers at the source's address: then it is looked for again. */
  async #work(signal: AbortSignal): Promise<void> {
    const { leaderElect, namespace, annotationPrefix } = this.#settings;
    const { logger, clock, random, identity } = this.#environment;
    const [client, source, names] = [this.#client, this.#source, this.#leaseNames];
    const readUid = (): Promise<string> => this.#readSourceUid(signal);
    while (!signal.aborted) {
      const identified = await identifySource({ client, source, readUid, clock, random, logger, signal });
      if (identified === undefined) {
        return;
      }
      const terms = this.#termsFor(identified);
      const lead: Lead = (shard, leading) => terms.serve(shard, leading);
      this.#terms = terms;
      await (leaderElect
        ? runWithLeases(
            {
              client: this.#leaseClient(),
              namespace,
              names,
              keys: keysOf(annotationPrefix),
              identity,
              clock,
              random,
              logger,
            },
            lead,
            signal,
          )
        : Promise.all(names.map((_, shard) => lead(shard, signal))));
    }
  }

  #termsFor(identified: SourceIdentity): SharedTerm<Term> {
    return new SharedTerm({
      begin: (signal) =>
        Term.begin({
          settings: this.#settings,
          environment: this.#environment,
          client: this.#client,
          openSource: this.#openSource,
          connect: this.#connect,
          source: this.#source,
          identified,
          readSourceUid: (until) => this.#readSourceUid(until),
          metrics: this.#metrics,
          contexts: () => this.#contexts,
          unwrittenState: this.#unwrittenState,
          signal,
        }),
      onEnded: ({ unwrittenState }) => {
        this.#unwrittenState = unwrittenState;
      },
    });
  }

  get #leads(): boolean {
    return (this.#terms?.shards.size ?? 0) > 0;
  }

  #holds(shard: number): boolean {
    return this.#terms?.shards.has(shard) === true;
  }

  /** A replica that stands by is ready; one that leads is once its work is under way. A target that is down does not count. */
  #readiness(): readonly HealthCheck[] {
    return [
      { name: 'source-cluster', check: () => this.#source.problem },
      {
        name: 'kubeconfig',
        check: () =>
          this.#contexts === undefined ? 'no usable kubeconfig with target contexts yet' : undefined,
      },
      {
        name: 'sources',
        check: () =>
          (this.#leads || !this.#settings.leaderElect) && this.#terms?.current?.engine.ready !== true
            ? 'the source cluster is not listed yet'
            : undefined,
      },
    ];
  }

  /** Of a process that looks at them: one that stands by knows of none whether it answers. */
  *#contextStates(): ReturnType<MetricsSources['contexts']> {
    for (const { name, link } of this.#terms?.current?.engine.registry.contexts ?? []) {
      yield {
        name,
        state: link?.state ?? 'unusable',
        credentialsExpireAt: link?.client.credential?.expiresAt,
      };
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

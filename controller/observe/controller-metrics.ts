import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../../shared/clock.ts';
import type { ProviderName } from '../../shared/kube/credentials/provider.ts';
import type { ReadResult } from '../contexts/kubeconfig-watch.ts';
import type { Lane } from '../lane/lane.ts';
import type { Pass } from '../reconcile/outcome.ts';

/** The name under which controller-runtime's metrics know this controller. */
const controller = 'context-syncer';
/** Seconds; from a local API server to one that is about to time out. */
const buckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What the gauges read at the moment of a scrape. */
export interface MetricsSources {
  lanes(): Iterable<Lane>;
  contexts(): Iterable<{
    readonly name: string;
    readonly state: 'settling' | 'up' | 'down' | 'unusable';
    /** Milliseconds since the Unix epoch; undefined where it is not known. */
    readonly credentialsExpireAt: number | undefined;
  }>;
  sources(): number;
  problems(): ReadonlyMap<string, number>;
  eventsDropped(): number;
  /** The Leases by name, and whether this process holds them. */
  leases(): Iterable<readonly [string, boolean]>;
  sourceIsOther(): boolean;
}

/**
 * Prometheus metrics under the names that the field uses. Labels never hold names of users' objects: `name` is the
 * identity of a target cluster.
 */
export class ControllerMetrics {
  readonly registry = new Registry();
  readonly #reconciles: Counter<'controller' | 'result'>;
  readonly #errors: Counter<'controller'>;
  readonly #reconcileTime: Histogram<'controller'>;
  readonly #queueTime: Histogram<'name'>;
  readonly #workTime: Histogram<'name'>;
  readonly #retries: Counter<'name'>;
  readonly #writes: Counter<'action' | 'reason'>;
  readonly #configReloads: Counter<'result'>;
  readonly #configInUse: Gauge;
  readonly #fruitless: Counter<'reason'>;
  readonly #credentials: Counter<'provider' | 'result'>;

  readonly #clock: Clock;
  readonly #lastSuccess = new Map<string, number>();

  constructor(read: MetricsSources, options: { readonly clock: Clock }) {
    this.#clock = options.clock;
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#reconciles = new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Passes over target objects, by result.',
      labelNames: ['controller', 'result'],
      registers,
    });
    this.#errors = new Counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Passes over target objects that failed.',
      labelNames: ['controller'],
      registers,
    });
    this.#reconcileTime = new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Time of a pass over a target object.',
      labelNames: ['controller'],
      buckets,
      registers,
    });
    this.#queueTime = new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'Time that a key waited before it was worked on.',
      labelNames: ['name'],
      buckets,
      registers,
    });
    this.#workTime = new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'Time that a key was worked on.',
      labelNames: ['name'],
      buckets,
      registers,
    });
    // Read from the queues, which count for themselves.
    void new Counter({
      name: 'workqueue_adds_total',
      help: 'Keys that were added to the queue.',
      labelNames: ['name'],
      registers,
      collect() {
        this.reset();
        for (const { cluster, queue } of read.lanes()) {
          this.inc({ name: cluster }, queue.adds);
        }
      },
    });
    this.#retries = new Counter({
      name: 'workqueue_retries_total',
      help: 'Keys that were put back for a retry.',
      labelNames: ['name'],
      registers,
    });
    this.#writes = new Counter({
      name: 'context_syncer_writes_total',
      help: 'Writes to target clusters, by action and reason.',
      labelNames: ['action', 'reason'],
      registers,
    });
    this.#fruitless = new Counter({
      name: 'context_syncer_held_back_total',
      help: 'Passes that wrote nothing because something was in the way or unknown, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#configReloads = new Counter({
      name: 'context_syncer_kubeconfig_reloads_total',
      help: 'Reads of the kubeconfig with the target contexts, by result.',
      labelNames: ['result'],
      registers,
    });
    this.#configInUse = new Gauge({
      name: 'context_syncer_kubeconfig_in_use',
      help: 'Whether the present kubeconfig with the target contexts is in use; 0 while it is missing or was refused.',
      registers,
    });
    this.#credentials = new Counter({
      name: 'context_syncer_credentials_obtained_total',
      help: 'Attempts to obtain credentials for target clusters from a cloud or a plugin, by provider and result.',
      labelNames: ['provider', 'result'],
      registers,
    });
    // A series that appears with its first error cannot show that there were none before.
    this.#errors.inc({ controller }, 0);
    this.#addGauges(read);
  }

  passed(lane: Lane, { outcome, winner }: Pass, durationMs: number): void {
    this.#reconciles.inc({ controller, result: outcome.kind });
    this.#reconcileTime.observe({ controller }, durationMs / 1000);
    this.#workTime.observe({ name: lane.cluster }, durationMs / 1000);
    if (winner !== undefined && (outcome.kind === 'written' || outcome.kind === 'left')) {
      this.#lastSuccess.set(winner.context, this.#clock.now());
    }
    if (outcome.kind === 'failed') {
      this.#errors.inc({ controller });
    }
    if (outcome.kind === 'written') {
      this.#writes.inc({ action: outcome.action, reason: outcome.reason });
    }
    if (outcome.kind === 'refused' || outcome.kind === 'waiting') {
      this.#fruitless.inc({ reason: outcome.reason });
    }
  }

  taken(lane: Lane, waitedMs: number): void {
    this.#queueTime.observe({ name: lane.cluster }, waitedMs / 1000);
  }

  retried(lane: Lane): void {
    this.#retries.inc({ name: lane.cluster });
  }

  kubeconfigRead(result: ReadResult): void {
    this.#configReloads.inc({ result });
    this.#configInUse.set(result === 'accepted' ? 1 : 0);
  }

  credentialsObtained(provider: ProviderName, result: 'success' | 'failure'): void {
    this.#credentials.inc({ provider, result });
  }

  #addGauges(read: MetricsSources): void {
    const gauge = <L extends string>(
      name: string,
      help: string,
      labelNames: readonly L[],
      samples: () => Iterable<readonly [Partial<Record<L, string>>, number]>,
    ): void => {
      const registered: Gauge<L> = new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers: [this.registry],
        collect: () => {
          registered.reset();
          for (const [labels, value] of samples()) {
            registered.set(labels, value);
          }
        },
      });
    };
    const perLane = (value: (lane: Lane) => number) => () =>
      [...read.lanes()].map((lane) => [{ name: lane.cluster }, value(lane)] as const);
    gauge(
      'workqueue_depth',
      'Keys that wait to be worked on.',
      ['name'],
      perLane(({ queue }) => queue.depth),
    );
    gauge(
      'workqueue_delayed',
      'Keys that wait for the time of their retry.',
      ['name'],
      perLane(({ queue }) => queue.delayed),
    );
    gauge('controller_runtime_active_workers', 'Passes under way.', ['controller'], () => [
      [{ controller }, [...read.lanes()].reduce((sum, { queue }) => sum + queue.active, 0)],
    ]);
    gauge(
      'context_syncer_copies',
      'Copies on a target cluster.',
      ['name'],
      perLane(({ index }) => index.size),
    );
    gauge(
      'context_syncer_deletion_guard_tripped',
      '1 while the mass-deletion guard stops deletion on a target cluster.',
      ['name'],
      perLane(({ guard }) => Number(guard.tripped)),
    );
    gauge(
      'context_syncer_deletions_held',
      'Deletions that the mass-deletion guard holds back on a target cluster.',
      ['name'],
      perLane(({ guard }) => guard.held),
    );
    gauge(
      'context_syncer_foreign_copies',
      'Copies on a target cluster that carry the name of our source cluster and the uid of another one.',
      ['name', 'uid'],
      () =>
        [...read.lanes()].flatMap(({ cluster, foreign }) =>
          [...foreign.counts()].map(([uid, count]) => [{ name: cluster, uid }, count] as const),
        ),
    );
    gauge(
      'context_syncer_source_is_other_cluster',
      "1 while another cluster answers at the source cluster's address.",
      [],
      () => [[{}, Number(read.sourceIsOther())]],
    );
    gauge(
      'context_syncer_lists_failing',
      'Lists of copies on a target cluster that fail; nothing is written where copies are not listed.',
      ['name'],
      perLane(({ failingLists }) => failingLists),
    );
    gauge(
      'context_syncer_context_up',
      '1 when the cluster of a context answers this process; absent while it stands by.',
      ['context'],
      () =>
        [...read.contexts()].map(({ name, state }) => [{ context: name }, Number(state === 'up')] as const),
    );
    gauge(
      'context_syncer_credential_expiry_timestamp_seconds',
      'When the credentials of a context expire, in seconds since the Unix epoch; absent where that is not known.',
      ['context'],
      () =>
        [...read.contexts()].flatMap(({ name, credentialsExpireAt }) =>
          credentialsExpireAt === undefined ? [] : [[{ context: name }, credentialsExpireAt / 1000] as const],
        ),
    );
    gauge(
      'context_syncer_last_success_timestamp_seconds',
      'When a copy through a context was last found in sync or written, in seconds since the Unix epoch.',
      ['context'],
      () =>
        [...read.contexts()].flatMap(({ name }) => {
          const at = this.#lastSuccess.get(name);
          return at === undefined ? [] : [[{ context: name }, at / 1000] as const];
        }),
    );
    gauge('context_syncer_sources', 'Annotated objects on the source cluster.', [], () => [
      [{}, read.sources()],
    ]);
    gauge('context_syncer_problems', 'Observed problems of sources, by reason.', ['reason'], () =>
      [...read.problems()].map(([reason, count]) => [{ reason }, count] as const),
    );
    gauge(
      'context_syncer_events_dropped',
      'Events that were not written because there were too many.',
      [],
      () => [[{}, read.eventsDropped()]],
    );
    gauge(
      'leader_election_master_status',
      '1 while this process holds the Lease: it leads, or serves one shard of several.',
      ['name'],
      () => [...read.leases()].map(([name, held]) => [{ name }, Number(held)] as const),
    );
  }
}

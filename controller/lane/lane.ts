import type { Clock, Random } from '../../shared/clock.ts';
import { isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { syncedKinds } from '../../shared/synced-kind.ts';
import { parseTargetKey, type TargetRef, targetKey } from '../claims/target-ref.ts';
import type { ContextLink, LinkState } from '../contexts/context-link.ts';
import type { CopyReading } from '../copy/copy-record.ts';
import type { DeletionGuard } from '../guard/deletion-guard.ts';
import { WorkQueue } from '../queue/work-queue.ts';
import { TargetWriter } from '../reconcile/act.ts';
import type { Outcome, Pass } from '../reconcile/outcome.ts';
import { Reconciler, type ReconcilerOptions } from '../reconcile/reconciler.ts';
import { retryDelayMs } from '../reconcile/retry.ts';
import { Contention } from './contention.ts';
import { CopyIndex } from './copy-index.ts';
import { ForeignCopies } from './foreign-copies.ts';
import { byPreference, type RememberedNamespaces, TargetWatch } from './target-watch.ts';

/** Passes under way at a time for one cluster; more in flight do not make a small API server faster (measured with a bare loop). */
const concurrency = 32;
/** Milliseconds of pause after a 429 without Retry-After: one second, as client-go assumes. */
const defaultPauseMs = 1_000;
/**
 * Milliseconds between two rounds over everything, for what no event told: a list of metadata, and passes that cost
 * no request where the copy is level. A cluster restored to an older state shows it in no watch.
 */
const resyncMs = 10 * 60_000;

/** Where a lane tells what happens. */
export interface LaneObserver {
  passed(lane: Lane, target: TargetRef, pass: Pass, durationMs: number): void;
  taken(lane: Lane, waitedMs: number): void;
  retried(lane: Lane): void;
}

export interface LaneOptions
  extends Pick<
    ReconcilerOptions,
    'claims' | 'sources' | 'circumstances' | 'wasWitnessed' | 'versionsTrusted'
  > {
  /** Identity of the target cluster. */
  readonly cluster: string;
  readonly reading: CopyReading;
  readonly guard: DeletionGuard;
  readonly namespaces: RememberedNamespaces;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: LaneObserver;
  /** Told every source version that a copy of ours records when this cluster is listed for the first time. */
  readonly noteRecordedVersion: (resourceVersion: string) => void;
  /** No new work begins once it aborts. */
  readonly signal: AbortSignal;
  /** Requests under way are given up once it aborts. */
  readonly abandon: AbortSignal;
}

/**
 * All work for one target cluster: its copies, its queue, its workers. Nothing that happens here delays another lane.
 */
export class Lane {
  readonly cluster: string;
  readonly index: CopyIndex;
  readonly guard: DeletionGuard;
  readonly queue: WorkQueue;
  readonly foreign: ForeignCopies;
  readonly #options: LaneOptions;
  readonly #reconciler: Reconciler;
  readonly #watches: readonly TargetWatch[];
  readonly #states = new Map<ContextLink, LinkState>();
  readonly #stop = new AbortController();
  #links: readonly ContextLink[] = [];
  #pausedUntil = 0;
  #active = 0;
  #idle: (() => void) | undefined;

  constructor(options: LaneOptions) {
    this.cluster = options.cluster;
    this.guard = options.guard;
    this.#options = options;
    this.index = new CopyIndex(options.reading);
    this.foreign = new ForeignCopies(options);
    this.queue = new WorkQueue(options.clock, () => {
      this.#pump();
    });
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#reconciler = new Reconciler({
      ...options,
      index: this.index,
      writer: new TargetWriter({ ...options.reading, index: this.index, signal: options.abandon }),
      contention: new Contention(options.clock),
      linksFor: (target, context) => this.#linksFor(target, context),
    });
    this.#watches = syncedKinds.map(
      (kind) =>
        new TargetWatch({
          ...options,
          kind,
          index: this.index,
          foreign: this.foreign,
          keys: options.reading.keys,
          signal,
          claimedNamespaces: (name) => this.#claimedNamespaces(name),
          onChanged: (targets) => {
            this.enqueue(targets);
          },
          onListed: (first) => {
            this.#listed(first);
          },
        }),
    );
  }

  get links(): readonly ContextLink[] {
    return this.#links;
  }

  /** At least one way to the cluster works. */
  get reachable(): boolean {
    return this.#links.some(({ state }) => state === 'up');
  }

  /** True when the copies of a namespace cannot be listed for want of rights. */
  isForbidden(target: TargetRef): boolean {
    return this.#watches[target.kind === 'ConfigMap' ? 0 : 1]?.isForbidden(target.namespace) === true;
  }

  enqueue(targets: Iterable<TargetRef>): void {
    for (const target of targets) {
      this.queue.add(targetKey(target));
    }
  }

  /** Looks at everything that is claimed here and everything that stands here. */
  resync(): void {
    this.guard.begin(this.index.size);
    this.enqueue(this.#options.claims.targetsOf(this.cluster));
    this.enqueue(this.index.targets());
  }

  /** Looks at the copies that nobody asks for. */
  enqueueUnclaimed(): void {
    const { claims } = this.#options;
    this.enqueue(
      [...this.index.targets()].filter((target) => claims.claimsOn(this.cluster, target).length === 0),
    );
  }

  /** Sees to it that the namespace of a newly claimed object is watched. */
  watchNamespaceOf(target: TargetRef): void {
    if (!this.index.isCovered(target.kind, target.namespace)) {
      this.#adjustWatches();
    }
  }

  /** Takes the present links. A way that works again brings everything level. */
  useLinks(links: readonly ContextLink[]): void {
    const back = links.filter((link) => link.state === 'up' && this.#states.get(link) !== 'up');
    const recovered = back.some((link) => this.#states.get(link) === 'down');
    this.#links = links;
    this.#states.clear();
    for (const link of links) {
      this.#states.set(link, link.state);
    }
    this.#adjustWatches();
    if (recovered) {
      for (const watch of this.#watches) {
        // A stream that outlived an outage may be dead without a word; what it missed must not be waited for.
        watch.relist();
        watch.wake();
      }
    }
    if (back.length > 0) {
      this.resync();
    }
  }

  #adjustWatches(): void {
    for (const watch of this.#watches) {
      watch.adjust(this.#links);
    }
  }

  /** Runs until the signal aborts or the lane is closed; then waits for the passes under way. */
  async run(): Promise<void> {
    const { clock, random, signal } = this.#options;
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    while (!stopped.aborted) {
      await clock.sleep(resyncMs * (0.9 + 0.2 * random()), stopped);
      if (!stopped.aborted) {
        for (const watch of this.#watches) {
          watch.relist();
        }
        this.resync();
      }
    }
    this.queue.clear();
    await Promise.all(this.#watches.map((watch) => watch.close()));
    if (this.#active > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
  }

  /** Ends the lane: its cluster is no longer reached by any context. */
  close(): void {
    this.#stop.abort();
  }

  #listed(first: boolean): void {
    if (first) {
      for (const { record } of this.index.entries()) {
        if (record.ownership === 'ours') {
          this.#options.noteRecordedVersion(record.origin?.resourceVersion ?? '');
        }
      }
    }
    this.resync();
  }

  #linksFor(target: TargetRef, context: string | undefined): readonly ContextLink[] {
    const usable = byPreference(this.#links, target.namespace).filter(({ state }) => state === 'up');
    return usable.toSorted((left, right) => Number(right.name === context) - Number(left.name === context));
  }

  #claimedNamespaces(kind: string): ReadonlySet<string> {
    const targets = [...this.#options.claims.targetsOf(this.cluster)];
    return new Set(targets.filter((target) => target.kind === kind).map(({ namespace }) => namespace));
  }

  #pump(): void {
    const { clock, observer } = this.#options;
    while (!this.#stopped() && this.#active < concurrency && clock.monotonic() >= this.#pausedUntil) {
      const next = this.queue.take();
      if (next === undefined) {
        return;
      }
      observer.taken(this, next.waitedMs);
      this.#active += 1;
      // Reconciling never rejects, and what follows it must not: a failure here is a bug that ends the process.
      void this.#work(next.key);
    }
  }

  async #work(key: string): Promise<void> {
    const { clock, random, observer } = this.#options;
    const started = clock.monotonic();
    const target = parseTargetKey(key);
    const pass = await this.#reconciler.reconcile(target);
    const aborted = this.#stopped();
    if (!aborted) {
      this.#afterFailure(pass.outcome, pass.winner?.context);
      const delayMs = retryDelayMs(pass.outcome, this.queue.failures(key), random);
      if (delayMs === undefined) {
        this.queue.succeeded(key);
      } else {
        this.queue.failed(key);
        observer.retried(this);
      }
      this.queue.done(key);
      if (delayMs !== undefined) {
        this.queue.addAfter(key, delayMs);
      }
      observer.passed(this, target, pass, clock.monotonic() - started);
    }
    this.#active -= 1;
    if (this.#active === 0) {
      this.#idle?.();
    }
    this.#pump();
  }

  #afterFailure(outcome: Outcome, context: string | undefined): void {
    const { clock } = this.#options;
    if (outcome.kind !== 'failed') {
      return;
    }
    if (outcome.error instanceof TransportError || isApiError(outcome.error, 'Unauthorized', 'ServerError')) {
      for (const link of this.#links) {
        if (context === undefined || link.name === context) {
          link.suspect();
        }
      }
    }
    if (isApiError(outcome.error, 'TooManyRequests')) {
      const pauseMs = outcome.error.retryAfterMs ?? defaultPauseMs;
      this.#pausedUntil = clock.monotonic() + pauseMs;
      clock.schedule(pauseMs, () => {
        this.#pump();
      });
    }
  }

  #stopped(): boolean {
    return this.#options.signal.aborted || this.#stop.signal.aborted;
  }
}

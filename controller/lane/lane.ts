import type { Clock, Random } from '../../shared/clock.ts';
import { isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { type SyncedKindName, syncedKinds } from '../../shared/synced-kind.ts';
import type { ContextLink, LinkState } from '../contexts/context-link.ts';
import type { CopyReading } from '../copy/copy-record.ts';
import { parseTargetKey, type TargetKey, type TargetRef, targetKey } from '../copy/target-ref.ts';
import type { DeletionGuard } from '../guard/deletion-guard.ts';
import { Contention } from '../reconcile/contention.ts';
import type { Pass } from '../reconcile/outcome.ts';
import { Reconciler, type ReconcilerOptions } from '../reconcile/reconciler.ts';
import { obstacleOf, retryDelayMs } from '../reconcile/retry.ts';
import { TargetWriter } from '../reconcile/target-writer.ts';
import { SourceReadError } from '../source/source-reader.ts';
import { CopyIndex, type ListedCopy } from '../target/copy-index.ts';
import { ForeignCopies } from '../target/foreign-copies.ts';
import { byPreference, type RememberedNamespaces, TargetWatch } from '../target/target-watch.ts';
import type { Verification } from '../target/verification.ts';
import { HangingNamespaces } from './hanging-namespaces.ts';
import { Obstacles } from './obstacles.ts';
import type { PassUnderWay } from './pass-under-way.ts';
import { Pause } from './pause.ts';
import type { ScheduledLane, Scheduler } from './scheduler.ts';
import { type Priority, WorkQueue } from './work-queue.ts';

/** Milliseconds of pause after a 429 without Retry-After: one second, as client-go assumes. */
const defaultPauseMs = 1_000;
/**
 * Milliseconds between two rounds over everything, for what no event showed: a list of metadata, and passes that cost
 * no request where the copy is in sync. A cluster restored to an older state shows it in no watch.
 */
const resyncMs = 30 * 60_000;

const kindNames = syncedKinds.map(({ name }) => name);

/** What a lane reports. */
export interface LaneObserver {
  /** `repeats`: other objects failed for the same reason before. */
  passed(lane: Lane, target: TargetRef, pass: Pass, durationMs: number, repeats: boolean): void;
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
  readonly scheduler: Scheduler;
  readonly verification: Verification;
  readonly guard: DeletionGuard;
  readonly namespaces: RememberedNamespaces;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: LaneObserver;
  /** True where the source cluster has yet to reach a version that a copy records: it was restored. */
  readonly isBehind: (resourceVersion: string) => boolean;
  /** A copy on this cluster shows that the source cluster was restored. */
  readonly onRestored: () => void;
  /** No new work begins once it aborts. */
  readonly signal: AbortSignal;
  /** Requests under way are given up once it aborts. */
  readonly abandon: AbortSignal;
}

/**
 * All work for one target cluster: its copies, its queue, its watches. Nothing that happens here delays another lane.
 */
export class Lane implements ScheduledLane {
  readonly cluster: string;
  readonly index: CopyIndex;
  readonly guard: DeletionGuard;
  readonly queue: WorkQueue;
  readonly foreign: ForeignCopies;
  readonly #options: LaneOptions;
  readonly #reconciler: Reconciler;
  readonly #watches: readonly TargetWatch[];
  readonly #obstacles = new Obstacles();
  readonly #hanging = new HangingNamespaces();
  readonly #pause: Pause;
  readonly #states = new Map<ContextLink, LinkState>();
  /** Keys that wait for a context to say which cluster it is. */
  readonly #unidentified = new Set<TargetKey>();
  /** Kinds whose next walk over everything is still to come. */
  readonly #unsynced = new Set<SyncedKindName>();
  readonly #stop = new AbortController();
  #links: readonly ContextLink[] = [];
  /** A copy shows that the source cluster was restored: contents are compared, whatever versions say. */
  #sawRestore = false;
  #idle: (() => void) | undefined;

  constructor(options: LaneOptions) {
    const { clock, scheduler } = options;
    this.cluster = options.cluster;
    this.guard = options.guard;
    this.#options = options;
    this.index = new CopyIndex(options.reading);
    this.foreign = new ForeignCopies(options);
    this.queue = new WorkQueue(clock, (priority) => {
      scheduler.wake(this, priority);
    });
    this.#pause = new Pause(clock, () => {
      scheduler.wake(this, 'live');
      scheduler.wake(this, 'later');
    });
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    const contention = new Contention(clock);
    this.#reconciler = new Reconciler({
      ...options,
      index: this.index,
      writer: new TargetWriter({ ...options.reading, index: this.index, signal: options.abandon }),
      contention,
      versionsTrusted: () => options.versionsTrusted() && !this.#sawRestore,
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
          claimedNamespaces: () => options.claims.namespacesOf(this.cluster, kind.name),
          onChanged: (targets) => {
            this.enqueue(targets);
          },
          onUnverified: (targets) => {
            this.enqueue(targets, 'later');
          },
          onLost: (target) => {
            if (options.claims.on(this.cluster, target).length > 0) {
              contention.lost(targetKey(target));
            }
          },
          onListed: (first, copies) => {
            if (first) {
              this.#lookForRestore(copies);
            }
            this.resync([kind.name]);
          },
          onListFailing: () => {
            // Whoever waits for the list is told why.
            this.enqueue(options.claims.targetsOf(this.cluster, kind.name), 'later');
          },
        }),
    );
    scheduler.add(this);
  }

  get links(): readonly ContextLink[] {
    return this.#links;
  }

  /** Why the copies in the namespace of a target cannot be listed; undefined while they can, or it is not known yet. */
  listFailure({ kind, namespace }: TargetRef): unknown {
    return this.#watchOf(kind)?.listFailure(namespace);
  }

  /** Watches whose lists fail at present. */
  get failingLists(): number {
    return this.#watches.reduce((sum, watch) => sum + watch.failingLists, 0);
  }

  enqueue(targets: Iterable<TargetRef>, priority: Priority = 'live'): void {
    for (const target of targets) {
      this.queue.add(targetKey(target), priority);
    }
  }

  /** Looks at everything that is claimed here and everything that exists here, of these kinds, as far as they are listed. */
  resync(kinds: readonly SyncedKindName[] = kindNames): void {
    this.guard.begin(this.index.sealed);
    for (const kind of kinds) {
      this.#unsynced.add(kind);
    }
    this.queue.addAll(() => {
      const listed = [...this.#unsynced].filter((kind) => this.index.isListed(kind));
      this.#unsynced.clear();
      return this.#everything(listed);
    });
  }

  /** Looks at the copies that waited for a context to say which cluster it is. */
  contextsIdentified(): void {
    this.#addLater(this.#unidentified);
    this.#unidentified.clear();
  }

  /** Makes sure that the namespace of a newly claimed object is watched. */
  watchNamespaceOf(target: TargetRef): void {
    this.#watchOf(target.kind)?.watchNamespace(target.namespace);
  }

  /** Takes the present links. A link that works again brings everything in sync. */
  useLinks(links: readonly ContextLink[]): void {
    const unchanged =
      links.length === this.#links.length && links.every((link) => this.#states.get(link) === link.state);
    if (unchanged) {
      return;
    }
    const back = links.filter((link) => link.state === 'up' && this.#states.get(link) !== 'up');
    const recovered = back.some((link) => this.#states.get(link) === 'down');
    this.#links = links;
    this.#states.clear();
    for (const link of links) {
      this.#states.set(link, link.state);
    }
    for (const watch of this.#watches) {
      watch.adjust(links);
      if (recovered) {
        // A stream that outlived an outage may be dead without a word; what it missed must not be waited for.
        watch.relist();
        watch.wake();
      }
    }
    if (back.length > 0) {
      this.resync();
    }
  }

  /** Runs until the signal aborts or the lane is closed; then waits for the passes under way. */
  async run(): Promise<void> {
    const { clock, random, signal, scheduler } = this.#options;
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    while (!stopped.aborted) {
      await clock.sleep(resyncMs * (0.9 + 0.2 * random()), stopped);
      if (!stopped.aborted) {
        for (const watch of this.#watches) {
          watch.relist();
        }
      }
    }
    this.queue.clear();
    await Promise.all(this.#watches.map((watch) => watch.close()));
    if (this.queue.active > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    scheduler.remove(this);
  }

  /** Ends the lane: its cluster is no longer reached through any context. */
  close(): void {
    this.#stop.abort();
  }

  begin(priority: Priority, pass: PassUnderWay): boolean {
    if (this.#stopped() || this.#pause.isOn) {
      return false;
    }
    const next = this.queue.take(priority);
    if (next === undefined) {
      return false;
    }
    this.#options.observer.taken(this, next.waitedMs);
    // Reconciling never rejects, and what follows it must not: a failure here is a bug that ends the process.
    void this.#work(next.key, pass);
    return true;
  }

  /** What exists and is not claimed comes last: what is claimed is wanted. */
  *#everything(kinds: readonly SyncedKindName[]): Generator<TargetKey> {
    const { claims } = this.#options;
    for (const kind of kinds) {
      for (const target of claims.targetsOf(this.cluster, kind)) {
        yield targetKey(target);
      }
      for (const { target } of this.index.copies(kind)) {
        if (claims.on(this.cluster, target).length === 0) {
          yield targetKey(target);
        }
      }
    }
  }

  #watchOf(kind: SyncedKindName): TargetWatch | undefined {
    return this.#watches[kindNames.indexOf(kind)];
  }

  /** Only a seal proves that the source cluster once had the version that a copy records. */
  #lookForRestore(copies: readonly ListedCopy[]): void {
    const { isBehind, onRestored } = this.#options;
    const isProof = ({ record: { sealed, origin } }: ListedCopy): boolean =>
      sealed && isBehind(origin?.resourceVersion ?? '');
    if (!this.#sawRestore && copies.some(isProof)) {
      this.#sawRestore = true;
      onRestored();
    }
  }

  #linksFor(target: TargetRef, context: string | undefined): readonly ContextLink[] {
    const usable = byPreference(this.#links, target.namespace).filter(({ state }) => state === 'up');
    return usable.toSorted((left, right) => Number(right.name === context) - Number(left.name === context));
  }

  async #work(key: TargetKey, underWay: PassUnderWay): Promise<void> {
    const { clock, observer } = this.#options;
    const target = parseTargetKey(key);
    let wrote = false;
    if (this.#hanging.begin(target.namespace, key, underWay)) {
      const pass = await this.#reconciler.reconcile(target, (answer) => underWay.waitForSource(answer));
      const freed = this.#hanging.end(target.namespace, underWay);
      if (!this.#stopped()) {
        const repeats = this.#afterPass(key, target, pass);
        observer.passed(this, target, pass, clock.monotonic() - underWay.begunAt, repeats);
        this.#addLater(freed);
      } else {
        this.queue.done(key);
        this.queue.clear();
      }
      wrote = pass.outcome.kind === 'written';
    } else {
      await Promise.resolve();
      this.queue.done(key);
    }
    if (this.queue.active === 0) {
      this.#idle?.();
    }
    underWay.end({ wrote });
  }

  /** Decides when the key is looked at again. Yields true when the pass failed as those of other keys did. */
  #afterPass(key: TargetKey, target: TargetRef, { outcome, winner }: Pass): boolean {
    const { random, observer } = this.#options;
    if (outcome.kind === 'failed') {
      this.#afterFailure(outcome.error, winner?.context);
    }
    if (outcome.kind === 'waiting' && outcome.reason === 'ContextUnidentified') {
      this.#unidentified.add(key);
    }
    const { role, freed } = this.#obstacles.passed(key, obstacleOf(outcome, target));
    const failures = this.queue.failures(key);
    const delayMs = retryDelayMs(outcome, failures, random, role);
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
    this.#addLater(freed);
    return role === 'waits' || failures > 0;
  }

  #afterFailure(error: unknown, context: string | undefined): void {
    const { scheduler } = this.#options;
    if (error instanceof SourceReadError) {
      if (isApiError(error.cause, 'TooManyRequests')) {
        scheduler.pause(error.cause.retryAfterMs ?? defaultPauseMs);
      }
      return;
    }
    if (error instanceof TransportError || isApiError(error, 'Unauthorized', 'ServerError')) {
      for (const link of this.#links) {
        if (context === undefined || link.name === context) {
          link.suspect();
        }
      }
    }
    if (isApiError(error, 'TooManyRequests')) {
      this.#pause.begin(error.retryAfterMs ?? defaultPauseMs);
    }
  }

  #addLater(keys: Iterable<TargetKey>): void {
    for (const key of keys) {
      this.queue.add(key, 'later');
    }
  }

  #stopped(): boolean {
    return this.#options.signal.aborted || this.#stop.signal.aborted;
  }
}

import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import { type SyncedKindName, syncedKinds } from '../../shared/synced-kind.ts';
import type { ContextLink, LinkState } from '../contexts/context-link.ts';
import type { CopyReading } from '../copy/copy-record.ts';
import { parseTargetKey, type TargetKey, type TargetRef, targetKey } from '../copy/target-ref.ts';
import type { DeletionGuard } from '../guard/deletion-guard.ts';
import { Contention } from '../reconcile/contention.ts';
import type { Pass } from '../reconcile/outcome.ts';
import { Reconciler, type ReconcilerOptions } from '../reconcile/reconciler.ts';
import { TargetWriter } from '../reconcile/target-writer.ts';
import { CopyIndex, type ListedCopy } from '../target/copy-index.ts';
import { ForeignCopies } from '../target/foreign-copies.ts';
import { byPreference, type RememberedNamespaces, TargetWatch } from '../target/target-watch.ts';
import type { Verification } from '../target/verification.ts';
import { Passes } from './passes.ts';
import type { Scheduler } from './scheduler.ts';
import type { Priority, WorkQueue } from './work-queue.ts';

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
export class Lane {
  readonly cluster: string;
  readonly index: CopyIndex;
  readonly guard: DeletionGuard;
  readonly foreign: ForeignCopies;
  readonly #options: LaneOptions;
  readonly #passes: Passes;
  readonly #watches: readonly TargetWatch[];
  readonly #states = new Map<ContextLink, LinkState>();
  /** Namespaces (undefined: all) of which the next walk is still to come. */
  readonly #unsynced = new Map<SyncedKindName, Set<string | undefined>>();
  readonly #stop = new AbortController();
  readonly #stopped: AbortSignal;
  #links: readonly ContextLink[] = [];
  /** A copy shows that the source cluster was restored: contents are compared, whatever versions say. */
  #sawRestore = false;

  constructor(options: LaneOptions) {
    const { observer } = options;
    this.cluster = options.cluster;
    this.guard = options.guard;
    this.#options = options;
    this.#stopped = AbortSignal.any([options.signal, this.#stop.signal]);
    this.index = new CopyIndex(options.reading);
    this.foreign = new ForeignCopies(options);
    const contention = new Contention(options.clock);
    this.#passes = new Passes({
      ...options,
      reconciler: new Reconciler({
        ...options,
        index: this.index,
        writer: new TargetWriter({ ...options.reading, index: this.index, signal: options.abandon }),
        contention,
        versionsTrusted: () => options.versionsTrusted() && !this.#sawRestore,
        linksFor: (target, context) => this.#linksFor(target, context),
      }),
      onSuspicion: (context) => {
        for (const link of this.#links.filter(({ name }) => context === undefined || name === context)) {
          link.suspect();
        }
      },
      onTaken: (waitedMs) => {
        observer.taken(this, waitedMs);
      },
      onRetried: () => {
        observer.retried(this);
      },
      onPassed: (target, pass, durationMs, repeats) => {
        observer.passed(this, target, pass, durationMs, repeats);
      },
      signal: this.#stopped,
    });
    this.#watches = syncedKinds.map(
      (kind) =>
        new TargetWatch({
          ...options,
          kind,
          index: this.index,
          foreign: this.foreign,
          keys: options.reading.keys,
          signal: this.#stopped,
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
          onListed: (first, copies, namespace) => {
            if (first) {
              this.#lookForRestore(copies);
            }
            this.resync([kind.name], namespace);
          },
          onListFailing: () => {
            // What waits for the list learns why.
            this.enqueue(options.claims.targetsOf(this.cluster, kind.name), 'later');
          },
        }),
    );
  }

  get queue(): WorkQueue {
    return this.#passes.queue;
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

  /**
   * Looks at everything that is claimed here and everything that exists here, of these kinds, as far as they are listed;
   * `namespace`: in that one alone.
   */
  resync(kinds: readonly SyncedKindName[] = kindNames, namespace?: string): void {
    this.guard.begin(this.index.sealed);
    for (const kind of kinds) {
      this.#unsynced.set(kind, (this.#unsynced.get(kind) ?? new Set()).add(namespace));
    }
    this.queue.addAll(() => {
      const due = [...this.#unsynced].filter(([kind]) => this.index.isListed(kind));
      this.#unsynced.clear();
      return this.#everything(due);
    });
  }

  /** Deletes what an operator released; a new allowance is there at once, for the copies that remain. */
  releaseDeletions(released: readonly TargetKey[]): void {
    this.guard.begin(this.index.sealed - released.length);
    this.enqueue(released.map(parseTargetKey));
  }

  /** Looks at the copies that waited for a context to say which cluster it is. */
  contextsIdentified(): void {
    this.#passes.contextsIdentified();
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
    const { clock, random } = this.#options;
    while (!this.#stopped.aborted) {
      await clock.sleep(resyncMs * (0.9 + 0.2 * random()), this.#stopped);
      if (!this.#stopped.aborted) {
        for (const watch of this.#watches) {
          watch.relist();
        }
      }
    }
    await Promise.all([this.#passes.end(), ...this.#watches.map((watch) => watch.close())]);
  }

  /** Ends the lane: its cluster is no longer reached through any context. */
  close(): void {
    this.#stop.abort();
  }

  /** What exists and is not claimed comes last: what is claimed is wanted. */
  *#everything(due: readonly (readonly [SyncedKindName, Set<string | undefined>])[]): Generator<TargetKey> {
    const { claims } = this.#options;
    for (const [kind, namespaces] of due) {
      const isDue = ({ namespace }: TargetRef): boolean =>
        namespaces.has(undefined) || namespaces.has(namespace);
      for (const target of claims.targetsOf(this.cluster, kind)) {
        if (isDue(target)) {
          yield targetKey(target);
        }
      }
      for (const { target } of this.index.copies(kind)) {
        if (isDue(target) && claims.on(this.cluster, target).length === 0) {
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
    if (copies.some(isProof)) {
      this.#sawRestore = true;
      onRestored();
    }
  }

  #linksFor(target: TargetRef, context: string | undefined): readonly ContextLink[] {
    const usable = byPreference(this.#links, target.namespace).filter(({ state }) => state === 'up');
    return usable.toSorted((left, right) => Number(right.name === context) - Number(left.name === context));
  }
}

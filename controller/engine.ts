import type { Catalog } from '../shared/catalog/catalog.ts';
import type { CatalogSettings } from '../shared/catalog/catalog-settings.ts';
import type { Clock, Random } from '../shared/clock.ts';
import type { Keys } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import type { ContextEntry } from '../shared/kube/kubeconfig/kubeconfig.ts';
import type { ConnectionSpec } from '../shared/kube/kubeconfig/spec.ts';
import type { Logger } from '../shared/logger.ts';
import { syncedKinds } from '../shared/synced-kind.ts';
import { type Claim, targetOf } from './claims/claim.ts';
import { type ChangedList, Claims } from './claims/claims.ts';
import { ContextRegistry } from './contexts/context-registry.ts';
import type { ClusterEvidence } from './contexts/evidence.ts';
import type { SourceCluster } from './copy/origin.ts';
import { OriginPool } from './copy/origin-pool.ts';
import type { TargetKey } from './copy/target-ref.ts';
import type { DeletionGuards } from './guard/deletion-guards.ts';
import type { KeptState } from './kept/kept-state.ts';
import { Lane } from './lane/lane.ts';
import { Scheduler } from './lane/scheduler.ts';
import type { Reporter } from './observe/reporter.ts';
import type { SyncNotice } from './observe/sync-notice.ts';
import type { IdentityCheck } from './source/identity-check.ts';
import type { KnownSource } from './source/known-source.ts';
import { SourceIndex } from './source/source-index.ts';
import { SourceReader } from './source/source-reader.ts';
import { type SourceKey, type SourceRecord, sourceKey } from './source/source-record.ts';
import { followSources } from './source/source-watch.ts';
import { Verification } from './target/verification.ts';

/** Payload kept for targets that still want it, in bytes. */
const payloadCacheBytes = 64 * 1024 * 1024;
/** How long passes under way may take to end when work stops, in milliseconds: part of the 20 s a clean stop has. */
const drainMs = 8_000;

/** Sources of a list whose objects are put up for work one by one when their claims change; with more, all of the cluster's. */
const singlyUpTo = 100;

export interface EngineOptions {
  readonly source: {
    readonly client: KubeClient;
    readonly cluster: SourceCluster;
    readonly evidence: ClusterEvidence;
    readonly namespaceUid: (namespace: string) => Promise<string | undefined>;
    readonly identity: Pick<IdentityCheck, 'confirm'>;
    readonly known: KnownSource;
  };
  readonly keys: Keys;
  readonly stampKey: Buffer;
  readonly ownNamespace: string;
  readonly catalogSettings: Partial<CatalogSettings>;
  readonly connect: (spec: ConnectionSpec) => KubeClient;
  /** The contexts in use at first; `useContexts` brings others. */
  readonly contexts: readonly ContextEntry[] | undefined;
  readonly reporter: Reporter;
  readonly syncNotice: Pick<SyncNotice, 'see'>;
  readonly guards: DeletionGuards;
  readonly kept: KeptState;
  /** Whether this process serves a target cluster, by identity; `shardsChanged` says when that changed. */
  readonly serves: (cluster: string) => boolean;
  /** Called with every catalog of contexts, for the webhook. */
  readonly onCatalog: (catalog: Catalog) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Work stops when it aborts. */
  readonly signal: AbortSignal;
}

interface Running {
  readonly ended: Promise<void>;
  /** Gives up requests under way. */
  readonly abandon: AbortController;
}

/**
 * The propagation while this process leads: connects sources, contexts, claims and lanes. Data flows one way: source
 * events and context changes become claims, changed claims become keys in lanes.
 */
export class Engine {
  readonly lanes = new Map<string, Lane>();
  readonly registry: ContextRegistry;
  readonly sources: SourceIndex;
  readonly #options: EngineOptions;
  readonly #claims: Claims;
  readonly #origins = new OriginPool();
  readonly #scheduler: Scheduler;
  readonly #verification: Verification;
  readonly #reader: SourceReader;
  readonly #abandon = new AbortController();
  readonly #running = new Map<Lane, Running>();
  #hasContexts = false;
  #started = false;
  #relistSources: () => void = () => undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { keys, source, stampKey, ownNamespace, signal } = options;
    this.sources = new SourceIndex({
      keys,
      versions: source.known.versions,
      onChange: (key, record) => {
        this.#sourceChanged(key, record);
      },
      onWentBack: () => {
        this.#wentBack();
      },
    });
    this.registry = new ContextRegistry({
      ...options,
      source: { place: source.client.server, evidence: source.evidence },
      sourceNamespaceUid: source.namespaceUid,
      learntClusters: options.kept.learntClusters,
      onChange: () => {
        this.#contextsChanged();
      },
      signal,
    });
    this.#claims = new Claims({ keys, ownNamespace, catalog: this.registry.catalog });
    this.#scheduler = new Scheduler(options.clock);
    this.#verification = new Verification(options.clock, options.random);
    this.#reader = new SourceReader({
      client: source.client,
      identity: source.identity,
      keys,
      stampKey,
      onVersion: (resourceVersion) => {
        this.sources.noteReadVersion(resourceVersion);
      },
      cacheBytes: payloadCacheBytes,
      clock: options.clock,
      signal: this.#abandon.signal,
    });
  }

  /** Sources are listed and contexts are known: work is under way. */
  get ready(): boolean {
    return this.#hasContexts && this.sources.isListed(syncedKinds.map(({ name }) => name));
  }

  /** Takes the contexts of a kubeconfig. */
  useContexts(entries: readonly ContextEntry[]): void {
    this.#hasContexts = true;
    this.registry.apply(entries);
  }

  /** Runs until the signal aborts; then ends what is under way. Rejects only for a bug. */
  async run(): Promise<void> {
    const { clock, contexts } = this.#options;
    if (contexts !== undefined) {
      this.useContexts(contexts);
    }
    await followSources({
      ...this.#options,
      client: this.#options.source.client,
      identity: this.#options.source.identity,
      index: this.sources,
      onObject: (kind, object) => {
        this.#options.syncNotice.see(kind, object);
      },
      offerRelist: (relist) => {
        this.#relistSources = relist;
      },
      onListed: () => {
        this.#start();
      },
    });
    const cancel = clock.schedule(drainMs, () => {
      this.#abandon.abort();
    });
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await this.registry.close();
    cancel();
  }

  /** Whether the source still asks for a copy in this cluster through this context. */
  isClaimed({ source, context, cluster }: Claim): boolean {
    const asks = this.#claims.resolutionOf(sourceKey(source))?.asks ?? [];
    return asks.some((ask) => ask.context === context && ask.cluster === cluster);
  }

  #sourceChanged(key: SourceKey, record: SourceRecord | undefined): void {
    const { reporter } = this.#options;
    this.#reader.sourceChanged(key, record);
    const touched = this.#claims.put(key, record);
    if (record === undefined) {
      reporter.forgotten(key);
    }
    if (!this.#started) {
      return;
    }
    this.#report(key);
    for (const { cluster, target } of touched) {
      const lane = this.lanes.get(cluster);
      lane?.enqueue([target]);
      lane?.watchNamespaceOf(target);
    }
    // A copy that the source did not ask for a moment ago may be free to go now: an invalid list may have kept it.
    for (const lane of this.lanes.values()) {
      lane.enqueue(lane.index.targetsOf(key));
    }
  }

  /** The first time that all sources are listed and contexts are known. What comes later comes as changes. */
  #start(): void {
    if (!this.#started && this.ready && !this.#options.signal.aborted) {
      this.#started = true;
      this.#useLinks();
      for (const [key] of this.sources.entries()) {
        this.#report(key);
      }
    }
  }

  #contextsChanged(): void {
    const { keys, ownNamespace, signal } = this.#options;
    const changed = this.#claims.useCircumstances({ keys, ownNamespace, catalog: this.registry.catalog });
    if (this.#hasContexts) {
      this.#options.onCatalog(this.registry.catalog);
    }
    if (!this.#started || signal.aborted) {
      this.#start();
      return;
    }
    this.#useLinks();
    for (const list of changed) {
      this.#listChanged(list);
    }
    this.#letGo(changed.filter(({ becameValid }) => becameValid));
    if (changed.length > 0) {
      for (const lane of this.lanes.values()) {
        lane.contextsIdentified();
      }
    }
  }

  /**
   * Takes up and gives up clusters, now that `serves` says something else. Resolves when passes about those that were
   * given up have ended.
   */
  async shardsChanged(): Promise<void> {
    if (!this.#started) {
      return;
    }
    const closed = this.#useLinks();
    for (const [key] of this.sources.entries()) {
      this.#report(key);
    }
    await Promise.all(closed.flatMap((lane) => this.#running.get(lane)?.ended ?? []));
  }

  /** Brings lanes in line with the clusters that are served and reached; yields those that were closed. */
  #useLinks(): readonly Lane[] {
    const links = this.registry.linksByCluster;
    const closed: Lane[] = [];
    for (const [cluster, lane] of this.lanes) {
      if (!links.has(cluster) || !this.#options.serves(cluster)) {
        this.lanes.delete(cluster);
        this.#close(lane);
        closed.push(lane);
      }
    }
    for (const [cluster, members] of links) {
      if (this.#options.serves(cluster)) {
        this.#lane(cluster).useLinks(members);
      }
    }
    return closed;
  }

  #close(lane: Lane): void {
    lane.close();
    this.#options.guards.close(lane.cluster);
    this.#options.clock.schedule(drainMs, () => {
      this.#running.get(lane)?.abandon.abort();
    });
  }

  #listChanged({ resolution, sources, touched }: ChangedList): void {
    for (const source of sources.values()) {
      this.#options.reporter.resolved(source, resolution);
    }
    const [first] = sources.values();
    for (const ask of touched) {
      const lane = this.lanes.get(ask.cluster);
      if (lane === undefined || first === undefined) {
        continue;
      }
      lane.watchNamespaceOf(targetOf(first, ask));
      if (sources.size > singlyUpTo) {
        lane.resync([first.kind]);
      } else if (lane.index.isListed(first.kind)) {
        lane.enqueue(
          Array.from(sources.values(), (source) => targetOf(source, ask)),
          'later',
        );
      }
    }
  }

  /** Looks at all copies of sources whose lists became valid: some may be free to go now. */
  #letGo(lists: readonly ChangedList[]): void {
    const sources = lists.flatMap((list) => [...list.sources.keys()]);
    for (const lane of sources.length === 0 ? [] : this.lanes.values()) {
      if (sources.length > singlyUpTo) {
        lane.resync();
      } else {
        lane.enqueue(
          sources.flatMap((source) => lane.index.targetsOf(source)),
          'later',
        );
      }
    }
  }

  #lane(cluster: string): Lane {
    const known = this.lanes.get(cluster);
    if (known !== undefined) {
      return known;
    }
    const { source, keys, stampKey, reporter, guards, kept } = this.#options;
    const abandon = new AbortController();
    const lane = new Lane({
      ...this.#options,
      cluster,
      reading: { keys, stampKey, cluster: source.cluster, origins: this.#origins },
      scheduler: this.#scheduler,
      verification: this.#verification,
      guard: guards.open(cluster),
      namespaces: kept.namespacesIn(cluster),
      claims: this.#claims,
      sources: this.#reader,
      observer: reporter,
      circumstances: () => this.#claims.circumstances,
      wasWitnessed: (key) => this.sources.wasWitnessed(key),
      versionsTrusted: () => this.sources.versionsTrusted,
      isBehind: (version) => this.sources.isBehind(version),
      onRestored: () => {
        guards.stop(cluster, 'SourceRestored');
      },
      abandon: AbortSignal.any([this.#abandon.signal, abandon.signal]),
    });
    this.lanes.set(cluster, lane);
    const ended = lane.run();
    this.#running.set(lane, { ended, abandon });
    void ended.finally(() => this.#running.delete(lane));
    return lane;
  }

  #report(key: SourceKey): void {
    const source = this.sources.get(key);
    const resolution = this.#claims.resolutionOf(key);
    if (source !== undefined && resolution !== undefined) {
      this.#options.reporter.resolved(source, resolution);
    }
  }

  /** The source cluster is known to have been restored: what was listed and watched before says nothing. */
  sourceRestored(): void {
    this.#wentBack();
    this.#relistSources();
  }

  /** Deletes what an operator released. */
  releaseDeletions(released: ReadonlyMap<string, readonly TargetKey[]>): void {
    for (const [cluster, targets] of released) {
      this.lanes.get(cluster)?.releaseDeletions(targets);
    }
  }

  /** The source cluster's own versions show that it was restored. */
  #wentBack(): void {
    const { logger, guards } = this.#options;
    guards.stop(undefined, 'SourceRestored');
    this.sources.distrustVersions();
    logger.warn('source cluster went back in time, all copies are compared by content');
    this.#reader.clear();
    for (const lane of this.lanes.values()) {
      lane.resync();
    }
  }
}

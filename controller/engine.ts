import type { Catalog, CatalogSettings } from '../shared/catalog/catalog.ts';
import type { Clock, Random } from '../shared/clock.ts';
import type { Keys } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import type { ConnectionSpec } from '../shared/kube/connection-spec.ts';
import type { ContextEntry } from '../shared/kube/kubeconfig.ts';
import type { Logger } from '../shared/logger.ts';
import type { Circumstances } from '../shared/rules/subject.ts';
import { syncedKinds } from '../shared/synced-kind.ts';
import { ClaimIndex, type Touched } from './claims/claim-index.ts';
import { ContextRegistry } from './contexts/context-registry.ts';
import type { ClusterEvidence } from './contexts/evidence.ts';
import type { SourceCluster } from './copy/origin.ts';
import { Lane } from './lane/lane.ts';
import type { Reporter } from './observe/reporter.ts';
import { SourceIndex } from './source/source-index.ts';
import { SourceReader } from './source/source-reader.ts';
import type { SourceKey, SourceRecord } from './source/source-record.ts';
import { followSources } from './source/source-watch.ts';

/** Payload kept for targets that still want it, in bytes. */
const payloadCacheBytes = 64 * 1024 * 1024;
/** How long passes under way may take to end when work stops, in milliseconds: part of the 20 s a clean stop has. */
const drainMs = 8_000;

export interface EngineOptions {
  readonly source: {
    readonly client: KubeClient;
    readonly cluster: SourceCluster;
    readonly evidence: ClusterEvidence;
    readonly namespaceUid: (namespace: string) => Promise<string | undefined>;
  };
  readonly keys: Keys;
  readonly stampKey: Buffer;
  readonly ownNamespace: string;
  readonly catalogSettings: CatalogSettings;
  readonly connect: (spec: ConnectionSpec) => KubeClient;
  /** The contexts in use at first; `useContexts` brings others. */
  readonly contexts: readonly ContextEntry[] | undefined;
  readonly reporter: Reporter;
  /** Told of every catalog of contexts, for the webhook. */
  readonly onCatalog: (catalog: Catalog) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Work stops when it aborts. */
  readonly signal: AbortSignal;
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
  readonly #claims = new ClaimIndex();
  readonly #reader: SourceReader;
  readonly #abandon = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #circumstances: Circumstances;
  #hasContexts = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { keys, source, stampKey, ownNamespace, signal } = options;
    this.sources = new SourceIndex({
      keys,
      onChange: (key, record) => {
        this.#sourceChanged(key, record);
      },
      onWentBack: () => {
        this.#wentBack();
      },
    });
    this.registry = new ContextRegistry({
      ...options,
      source: { server: source.client.server, evidence: source.evidence },
      sourceNamespaceUid: source.namespaceUid,
      onChange: () => {
        this.#contextsChanged();
      },
      signal,
    });
    this.#circumstances = { keys, ownNamespace, catalog: this.registry.catalog };
    this.#reader = new SourceReader({
      client: source.client,
      keys,
      stampKey,
      circumstances: () => this.#circumstances,
      onVersion: (kind, resourceVersion) => {
        this.sources.noteVersion(kind, resourceVersion);
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
      index: this.sources,
      onListed: () => {
        this.#contextsChanged();
      },
    });
    const cancel = clock.schedule(drainMs, () => {
      this.#abandon.abort();
    });
    await Promise.all(this.#running);
    await this.registry.close();
    cancel();
  }

  #sourceChanged(key: SourceKey, record: SourceRecord | undefined): void {
    const { reporter } = this.#options;
    if (record === undefined) {
      this.#reader.forget(key);
      reporter.forgotten(key);
      this.#enqueue(this.#claims.remove(key));
      this.#enqueueCopiesOf(key);
      return;
    }
    const touched = this.#claims.put(record, this.#circumstances);
    if (this.ready) {
      this.#reportList(key);
      this.#enqueue(touched);
      this.#enqueueCopiesOf(key);
    }
  }

  /** A copy that the source did not ask for a moment ago may be free to go now: an invalid list may have kept it. */
  #enqueueCopiesOf(key: SourceKey): void {
    for (const lane of this.lanes.values()) {
      lane.enqueue(lane.index.targetsOf(key));
    }
  }

  #contextsChanged(): void {
    const { keys, ownNamespace, signal } = this.#options;
    this.#circumstances = { keys, ownNamespace, catalog: this.registry.catalog };
    const touched = this.#claims.resolveAll(this.#circumstances);
    if (this.#hasContexts) {
      this.#options.onCatalog(this.registry.catalog);
    }
    if (!this.ready || signal.aborted) {
      return;
    }
    const links = this.registry.linksByCluster;
    for (const [cluster, lane] of this.lanes) {
      if (!links.has(cluster)) {
        this.lanes.delete(cluster);
        lane.close();
      }
    }
    for (const [cluster, members] of links) {
      this.#lane(cluster).useLinks(members);
    }
    this.#enqueue(touched);
    for (const lane of this.lanes.values()) {
      // What nobody claims may have waited for a context to say who it is.
      lane.enqueueUnclaimed();
    }
    for (const resolution of this.#claims.resolutions()) {
      this.#options.reporter.resolved(resolution);
    }
  }

  #lane(cluster: string): Lane {
    const known = this.lanes.get(cluster);
    if (known !== undefined) {
      return known;
    }
    const { source, keys, stampKey, reporter } = this.#options;
    const lane = new Lane({
      ...this.#options,
      cluster,
      reading: { keys, stampKey, cluster: source.cluster },
      claims: this.#claims,
      sources: this.#reader,
      observer: reporter,
      circumstances: () => this.#circumstances,
      wasWitnessed: (key) => this.sources.wasWitnessed(key),
      versionsTrusted: () => this.sources.versionsTrusted,
      noteRecordedVersion: (version) => {
        this.sources.noteRecordedVersion(version);
      },
      abandon: this.#abandon.signal,
    });
    this.lanes.set(cluster, lane);
    const running = lane.run();
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
    return lane;
  }

  #enqueue(touched: readonly Touched[]): void {
    for (const { cluster, target } of touched) {
      const lane = this.lanes.get(cluster);
      lane?.enqueue([target]);
      lane?.watchNamespaceOf(target);
    }
  }

  #reportList(key: SourceKey): void {
    const resolution = this.#claims.resolutionOf(key);
    if (resolution !== undefined) {
      this.#options.reporter.resolved(resolution);
    }
  }

  #wentBack(): void {
    this.#options.logger.warn('source cluster went back in time, all copies are compared by content', {});
    this.#reader.clear();
    for (const lane of this.lanes.values()) {
      lane.resync();
    }
  }
}

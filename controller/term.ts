import { catalogConfigMapName } from '../shared/catalog/document.ts';
import { type Keys, keysOf } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import type { ContextEntry } from '../shared/kube/kubeconfig/kubeconfig.ts';
import type { ConnectionSpec } from '../shared/kube/kubeconfig/spec.ts';
import type { ProcessEnvironment } from '../shared/process-environment.ts';
import { CatalogPublisher } from './contexts/catalog-publisher.ts';
import { Engine } from './engine.ts';
import { createEventRecorder, type EventRecorder } from './events/recorder.ts';
import { DeletionGuards } from './guard/deletion-guards.ts';
import { KeptState, stateKey } from './kept/kept-state.ts';
import { loadState } from './kept/load-state.ts';
import type { ControllerMetrics } from './observe/controller-metrics.ts';
import { Reporter } from './observe/reporter.ts';
import { SyncNotice } from './observe/sync-notice.ts';
import { type ControllerSettings, catalogSettings } from './settings/settings.ts';
import { shardOf } from './shards.ts';
import { confirmSource, IdentityCheck } from './source/identity-check.ts';
import type { KnownSource } from './source/known-source.ts';
import { notePresentVersion } from './source/present-version.ts';
import { type Confirm, provenWrites } from './source/proven-writes.ts';
import { type SourceIdentity, sourceNamespaceUid } from './source/source-identity.ts';
import { loadStampKey } from './source/stamp-key.ts';

/** Milliseconds for which Leases are kept back until trips are written: part of the 20 s a clean stop has. */
const writeMs = 5_000;
/** Milliseconds between two looks whether they are. */
const writeLookMs = 50;

export interface TermOptions {
  readonly settings: ControllerSettings;
  readonly environment: ProcessEnvironment;
  /** The source cluster. */
  readonly client: KubeClient;
  /** Opens another connection to the source cluster. */
  readonly openSource: () => KubeClient;
  readonly connect: (spec: ConnectionSpec) => KubeClient;
  readonly source: KnownSource;
  readonly identified: SourceIdentity;
  readonly readSourceUid: (signal: AbortSignal | undefined) => Promise<string>;
  readonly metrics: ControllerMetrics;
  /** The contexts in use now; `useContexts` brings others. */
  readonly contexts: () => readonly ContextEntry[] | undefined;
  /** The state that the last term could not write any more. */
  readonly unwrittenState: string | undefined;
  /** Aborts when the process no longer leads. */
  readonly signal: AbortSignal;
}

/**
 * One term of leadership: everything that begins and ends with it. Nothing is carried from term to term but the state
 * that could not be written.
 */
export class Term {
  readonly engine: Engine;
  readonly reporter: Reporter;
  readonly events: EventRecorder;
  readonly #options: TermOptions;
  readonly #catalog: CatalogPublisher;
  readonly #kept: KeptState;
  readonly #eventClient: KubeClient;
  /** Aborts when the state is written for the last time, or must not be: another cluster answers at the source's address. */
  readonly #end = new AbortController();
  /** Aborts when work is to end. */
  readonly #signal: AbortSignal;
  /** The shards whose clusters are served. */
  readonly #shards = new Set<number>();

  private constructor(options: TermOptions, kept: Kept, stampKey: Buffer, timesOther: number) {
    const { settings, environment, client, identified, source } = options;
    const { logger, clock, random, identity } = environment;
    const { namespace, clusterName, takeOverFromUid } = settings;
    const keys = keysOf(settings.annotationPrefix);
    const parts = { client, namespace, clock, random, logger };
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
    this.#eventClient = options.openSource();
    this.#kept = kept.state;
    const confirm = confirmWith(options);
    const identityCheck = checkUntil(options, this.#signal);
    const catalogCheck = checkUntil(options, this.#end.signal);
    this.events = createEventRecorder({
      ...parts,
      client: {
        create: provenWrites(this.#eventClient, confirm).create,
        // By a name that no other cluster has.
        patch: (...request) => this.#eventClient.patch(...request),
      },
      component: 'context-syncer',
      instance: identity,
    });
    this.reporter = new Reporter({
      ...parts,
      events: this.events,
      metrics: options.metrics,
      serves: (cluster) => this.#serves(cluster),
      tellsOfLists: () => this.#shards.has(0),
      sourceOf: (key) => this.engine.sources.get(key),
      isClaimed: (claim) => this.engine.isClaimed(claim),
    });
    const guards = new DeletionGuards({
      ...parts,
      kept: kept.state,
      releaseCommand: (trip) => releaseCommand(namespace, keys, trip),
    });
    this.#catalog = new CatalogPublisher({
      ...parts,
      writes: provenWrites(client, confirm),
      confirm: () => catalogCheck.confirm(),
      state: { key: stateKey, text: () => kept.state.format() },
      publishes: () => this.#shards.has(0) && !this.#signal.aborted,
      onSeen: (configMap) => {
        const trip = configMap?.metadata.annotations?.[keys.releaseDeletions];
        const served = (cluster: string): boolean => this.#serves(cluster) && !this.#signal.aborted;
        kept.state.take(configMap?.data?.[stateKey] ?? '{}', served, trip);
        const { released } = kept.state;
        this.engine.releaseDeletions(guards.release(trip === undefined ? released : [trip, ...released]));
        guards.logTrips();
      },
    });
    kept.onChange = () => {
      this.#catalog.changed();
    };
    const syncNotice = new SyncNotice({ keys, events: this.events });
    this.engine = new Engine({
      clock,
      random,
      logger,
      source: {
        client,
        cluster: { uid: identified.uid, name: clusterName, takeOverFromUid },
        evidence: identified.evidence,
        namespaceUid: async (name) => {
          const uid = await sourceNamespaceUid(client, name);
          await identityCheck.confirm();
          return uid;
        },
        identity: identityCheck,
        known: source,
      },
      guards,
      kept: kept.state,
      serves: (cluster) => this.#serves(cluster),
      syncNotice: {
        see: (kind, object) => {
          // The only shard is this term's, also while its state is being read.
          if (settings.shards === 1 || this.#shards.has(0)) {
            syncNotice.see(kind, object);
          }
        },
      },
      keys,
      stampKey,
      ownNamespace: namespace,
      catalogSettings: catalogSettings(settings),
      connect: options.connect,
      contexts: options.contexts(),
      reporter: this.reporter,
      onCatalog: (contexts) => {
        this.#catalog.publish(contexts);
      },
      signal: this.#signal,
    });
    source.onOther(() => {
      this.#end.abort();
      // Events that wait must not be sent to another cluster.
      void this.#eventClient.close();
    }, timesOther);
  }

  /**
   * Reads what earlier terms kept, for as long as it takes, and makes the parts of a new one. It serves the shards that it
   * `take`s.
   */
  static async begin(options: TermOptions): Promise<Term> {
    const { client, settings, environment, signal } = options;
    const { namespace } = settings;
    const { timesOther } = options.source;
    const kept = new Kept();
    // First, as what is written counts.
    kept.state.take(options.unwrittenState ?? '{}', () => false);
    await loadState(kept.state, { ...environment, client, namespace, signal, served: () => false });
    const stampKey = await loadStampKey({
      ...environment,
      client: {
        get: (...request) => client.get(...request),
        create: provenWrites(client, confirmWith(options)).create,
      },
      namespace,
      signal,
    });
    return new Term(options, kept, stampKey, timesOther);
  }

  /** What must outlive the term, unless it is written. */
  get unwrittenState(): string | undefined {
    return this.#catalog.isStateWritten ? undefined : this.#kept.format();
  }

  /** Serves the clusters of a shard from now on, once it is read what other processes kept of them. */
  async take(shard: number, signal: AbortSignal): Promise<void> {
    const { client, settings, environment } = this.#options;
    const reading = { ...environment, client, signal: AbortSignal.any([signal, this.#signal]) };
    await loadState(this.#kept, {
      ...reading,
      namespace: settings.namespace,
      served: (cluster) => this.#serves(cluster),
    });
    if (settings.shards > 1) {
      await notePresentVersion(this.engine.sources, reading);
    }
    if (!signal.aborted) {
      this.#shards.add(shard);
      await this.#shardsChanged();
    }
  }

  /** Serves the clusters of a shard no longer; resolves when all passes about them have ended and their trips are written. */
  async leave(shard: number): Promise<void> {
    this.#shards.delete(shard);
    await this.#shardsChanged();
    await this.#stateWritten();
  }

  /** Resolves when the state is written, or cannot be in time. The process that serves a shard next reads the trips when it takes it. */
  async #stateWritten(): Promise<void> {
    const { clock } = this.#options.environment;
    const { signal } = this.#end;
    const deadline = clock.monotonic() + writeMs;
    while (!this.#catalog.isStateWritten && clock.monotonic() < deadline && !signal.aborted) {
      await clock.sleep(writeLookMs, signal);
    }
  }

  async #shardsChanged(): Promise<void> {
    this.#catalog.changed();
    await this.engine.shardsChanged();
  }

  #serves(cluster: string): boolean {
    return this.#shards.has(shardOf(cluster, this.#options.settings.shards));
  }

  /**
   * Works until the process no longer leads, or another cluster answers at the source's address. Passes can trip until they
   * have ended, so the state is written after them.
   */
  async run(): Promise<void> {
    const { source, settings, identified, environment } = this.#options;
    const { logger } = environment;
    source.onRestored(() => {
      this.engine.sourceRestored();
    });
    try {
      logger.info('propagation started', {
        clusterName: settings.clusterName,
        clusterUID: identified.uid,
      });
      const work = this.engine
        .run()
        .then(() => this.#stateWritten())
        .finally(() => this.#end.abort());
      await Promise.all([
        work,
        this.events.run(this.#signal),
        this.reporter.run(this.#signal),
        this.#catalog.run(this.#end.signal),
      ]);
      logger.info('propagation stopped');
    } finally {
      source.onRestored(undefined);
      source.forgetOnOther();
      await this.#eventClient.close();
    }
  }
}

/** The state that outlives the process, and who writes it once there is somebody. */
class Kept {
  onChange: () => void = () => undefined;
  readonly state = new KeptState(() => {
    this.onChange();
  });
}

function checkUntil({ environment, source, readSourceUid }: TermOptions, signal: AbortSignal): IdentityCheck {
  return new IdentityCheck({ clock: environment.clock, source, readUid: () => readSourceUid(signal) });
}

function confirmWith({ source, readSourceUid }: TermOptions): Confirm {
  return (signal) => confirmSource({ source, readUid: () => readSourceUid(signal) });
}

function releaseCommand(namespace: string, keys: Keys, trip: string): string {
  return `kubectl annotate configmap ${catalogConfigMapName} -n ${namespace} ${keys.releaseDeletions}=${trip} --overwrite`;
}

import { Engine } from '../../../controller/engine.ts';
import type { DeletionGuards } from '../../../controller/guard/deletion-guards.ts';
import { KeptState } from '../../../controller/kept/kept-state.ts';
import { ControllerMetrics } from '../../../controller/observe/controller-metrics.ts';
import { Reporter } from '../../../controller/observe/reporter.ts';
import { KnownSource } from '../../../controller/source/known-source.ts';
import { sourceNamespaceUid } from '../../../controller/source/source-identity.ts';
import type { ContextEntry } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import type { ConnectionSpec } from '../../../shared/kube/kubeconfig/spec.ts';
import type { ObjectMeta } from '../../../shared/kube/object.ts';
import { namespaces } from '../../../shared/kube/resource.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { cluster, keys, ownNamespace, stampKey } from '../controller/arbitraries.ts';
import { someGuards } from '../controller/guard/guards.ts';
import type { FakeApi } from '../fakes/fake-api.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';

export interface ProcessOptions {
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly source: (isDead: () => boolean) => FakeApi;
  readonly connect: (spec: ConnectionSpec, isDead: () => boolean) => FakeApi;
  readonly contexts: () => readonly ContextEntry[];
  /** What controllers keep on the source cluster; all of them have the same. */
  readonly kept: { text: string | undefined };
}

/** A controller in memory that can die at any moment. What it keeps on the source cluster outlives it. */
export class SimulatedProcess {
  readonly #options: ProcessOptions;
  /** Kept from life to life: of two replicas one has been there all the time, and has seen the versions of the source. */
  readonly #known: KnownSource;
  #life:
    | {
        stop: AbortController;
        engine: Engine;
        kept: KeptState;
        guards: DeletionGuards;
        isDead: boolean;
        running: Promise<unknown>;
      }
    | undefined;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.#known = new KnownSource('https://source.example', silentLogger);
    this.#known.seeMark(lease(2), undefined);
  }

  /** The source cluster went back in time, and with it the Lease, which is read every two seconds. */
  sourceRestored(): void {
    this.#known.seeMark(lease(1), this.#known.mark);
    this.#known.seeMark(lease(2), this.#known.mark);
  }

  start(): void {
    if (this.#life !== undefined) {
      return;
    }
    const { clock, random, contexts, connect } = this.#options;
    const stop = new AbortController();
    const death = { isDead: false };
    const isDead = (): boolean => death.isDead;
    const source = this.#options.source(isDead);
    const kept: KeptState = new KeptState(() => {
      this.#options.kept.text = kept.format();
    });
    if (this.#options.kept.text !== undefined) {
      kept.take(this.#options.kept.text, () => false);
    }
    const guards = someGuards(clock, kept);
    const reporter: Reporter = new Reporter({
      events: { record: () => undefined },
      logger: silentLogger,
      metrics: new ControllerMetrics(
        {
          lanes: () => [],
          contexts: () => [],
          sources: () => 0,
          problems: () => new Map(),
          eventsDropped: () => 0,
          leases: () => [],
          sourceIsOther: () => false,
        },
        { clock },
      ),
      clock,
      random,
      sourceOf: (key) => engine.sources.get(key),
      isClaimed: (claim) => engine.isClaimed(claim),
      serves: () => true,
      tellsOfLists: () => true,
    });
    const engine: Engine = new Engine({
      source: {
        client: source,
        cluster,
        evidence: { kubeSystemUid: source.peek(namespaces, undefined, 'kube-system')?.metadata.uid },
        namespaceUid: (name) => sourceNamespaceUid(source, name),
        identity: {
          confirm: async () => {
            await source.get(namespaces, undefined, 'kube-system');
          },
        },
        known: this.#known,
      },
      syncNotice: { see: () => undefined },
      guards,
      kept,
      serves: () => true,
      keys,
      stampKey,
      ownNamespace,
      catalogSettings: {},
      connect: (spec) => connect(spec, isDead),
      contexts: contexts(),
      reporter,
      onCatalog: () => undefined,
      clock,
      random,
      logger: silentLogger,
      signal: stop.signal,
    });
    this.#known.onRestored(() => engine.sourceRestored());
    const running = Promise.all([engine.run(), reporter.run(stop.signal)]);
    // Whoever stops it hears of a failure.
    running.catch(() => undefined);
    this.#life = Object.assign(death, { stop, engine, kept, guards, running });
  }

  /** At once: none of its requests arrives any more, but those that are on their way. */
  kill(): void {
    const life = this.#life;
    this.#life = undefined;
    if (life !== undefined) {
      this.#known.onRestored(undefined);
      life.isDead = true;
      life.stop.abort();
    }
  }

  /** In good order. Rejects where the engine failed. */
  async stop(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    life?.stop.abort();
    await this.#options.clock.advance(20_000);
    await life?.running;
  }

  contextsChanged(): void {
    this.#life?.engine.useContexts(this.#options.contexts());
  }

  /** Releases all trips, as an operator does; true where there was one. */
  release(): boolean {
    const life = this.#life;
    if (life === undefined) {
      return false;
    }
    // Its own, not those of the kept text: a process that stands still can write that, too, which a server refuses.
    const names = life.kept.trips.map(({ name }) => name);
    life.engine.releaseDeletions(life.guards.release(names));
    return names.length > 0;
  }
}

function lease(version: number): ObjectMeta {
  return { name: 'lease', uid: 'lease', resourceVersion: String(version) };
}

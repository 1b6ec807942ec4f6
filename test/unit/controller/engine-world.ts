import { Engine } from '../../../controller/engine.ts';
import type { DeletionGuards } from '../../../controller/guard/deletion-guards.ts';
import type { Trip } from '../../../controller/guard/trip.ts';
import { KeptState } from '../../../controller/kept/kept-state.ts';
import { ControllerMetrics } from '../../../controller/observe/controller-metrics.ts';
import { Reporter } from '../../../controller/observe/reporter.ts';
import { KnownSource } from '../../../controller/source/known-source.ts';
import { sourceNamespaceUid } from '../../../controller/source/source-identity.ts';
import type { ContextEntry } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import type { ConnectionSpec } from '../../../shared/kube/kubeconfig/spec.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { configMaps, namespaces } from '../../../shared/kube/resource.ts';
import { type LogFields, type Logger, silentLogger } from '../../../shared/logger.ts';
import { anObject, FakeApi, type FakeCall } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { cluster, keys, ownNamespace, stampKey } from './arbitraries.ts';
import { someGuards } from './guard/guards.ts';

export interface Told {
  readonly name: string;
  readonly reason: string;
}

/** A source and target clusters in memory, and the controller's engine between them, on a clock that the test moves. */
export class EngineWorld implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly source = new FakeApi(this.clock, 'https://source.example:6443');
  /** Events about sources, in order. */
  readonly told: Told[] = [];
  /** Lines of level warn and above. */
  readonly warnings: string[] = [];
  readonly reporter: Reporter;
  /** Whether this process serves a cluster; `engine.shardsChanged` has a change noticed. */
  serves: (cluster: string) => boolean = () => true;
  tellsOfLists = true;
  /** Where a proxy leads; it does not matter to which address. */
  readonly behindProxies = new Map<string | undefined, FakeApi>();
  readonly #targets = new Map<string, FakeApi>();
  #guards: DeletionGuards | undefined;
  /** It outlives a restart, as the catalog ConfigMap does. */
  readonly #kept = new KeptState(() => undefined);
  #stop = new AbortController();
  #engine: Engine | undefined;
  #running: Promise<unknown> | undefined;

  constructor() {
    this.source.put(namespaces, { metadata: { name: 'kube-system' } });
    this.reporter = new Reporter({
      events: {
        record: ({ object: { name }, reason }) => {
          this.told.push({ name, reason });
        },
      },
      logger: this.#logger(),
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
        { clock: this.clock },
      ),
      clock: this.clock,
      random: () => 0.5,
      serves: (cluster) => this.serves(cluster),
      tellsOfLists: () => this.tellsOfLists,
      sourceOf: (key) => this.#engine?.sources.get(key),
      isClaimed: (claim) => this.#engine?.isClaimed(claim) === true,
    });
  }

  get engine(): Engine {
    if (this.#engine === undefined) {
      throw new Error('the engine is not started');
    }
    return this.#engine;
  }

  get trips(): readonly Trip[] {
    return this.#kept.trips;
  }

  /** Stops deletion everywhere, also in the next life; yields the name of the trip. */
  trip(): string {
    return someGuards(this.clock, this.#kept).stop(undefined, 'SourceRestored').name;
  }

  /** Releases a trip. */
  release(trip: string): void {
    this.engine.releaseDeletions(this.#guards?.release([trip]) ?? new Map<string, never>());
  }

  /** The target cluster of a context, made at first mention; it has the namespace `demo`. */
  target(context: string): FakeApi {
    const known = this.#targets.get(context);
    if (known !== undefined) {
      return known;
    }
    const api = new FakeApi(this.clock, `https://${context}.example:6443`);
    // Two fresh servers would give out the same uids.
    for (let index = 0; index <= this.#targets.size; index += 1) {
      api.put(namespaces, { metadata: { name: `other-${index}` } });
    }
    for (const name of ['kube-system', 'demo']) {
      api.put(namespaces, { metadata: { name } });
    }
    this.#targets.set(context, api);
    return api;
  }

  /** Starts the engine with these contexts, and lets it come to rest. */
  async start(...contexts: readonly (string | ContextEntry)[]): Promise<void> {
    const evidence = {
      kubeSystemUid: this.source.peek(namespaces, undefined, 'kube-system')?.metadata.uid,
    };
    const kept = this.#kept;
    this.#guards = someGuards(this.clock, kept);
    this.#engine = new Engine({
      source: {
        client: this.source,
        cluster,
        evidence,
        namespaceUid: (name) => sourceNamespaceUid(this.source, name),
        identity: { confirm: () => Promise.resolve() },
        known: new KnownSource(this.source.server, silentLogger),
      },
      syncNotice: { see: () => undefined },
      guards: this.#guards,
      kept,
      serves: (cluster) => this.serves(cluster),
      keys,
      stampKey,
      ownNamespace,
      catalogSettings: {},
      connect: (spec) => this.#connection(spec),
      contexts: contexts.map((context) => (typeof context === 'string' ? entryOf(context) : context)),
      reporter: this.reporter,
      onCatalog: () => undefined,
      clock: this.clock,
      random: () => 0.5,
      logger: this.#logger(),
      signal: this.#stop.signal,
    });
    this.#running = Promise.all([this.#engine.run(), this.reporter.run(this.#stop.signal)]);
    await this.clock.advance(2_000);
  }

  /** Creates or changes the source `demo/NAME`. */
  annotate(name: string, list: string, value: string): void {
    this.source.put(configMaps, {
      ...anObject(configMaps, 'demo', name, { annotations: { [keys.syncContexts]: list } }),
      data: { key: value },
    });
  }

  /** The value that the copy of `demo/NAME` holds in the cluster of a context. */
  copy(context: string, name: string): string | undefined {
    return this.target(context).peek<PayloadObject>(configMaps, 'demo', name)?.data?.['key'];
  }

  /** Runs something, and yields the calls that a server got meanwhile, watches apart. */
  async during(api: FakeApi, ms: number, run: () => void = () => undefined): Promise<readonly FakeCall[]> {
    const before = api.calls.length;
    run();
    await this.clock.advance(ms);
    return api.calls.slice(before).filter(({ verb }) => verb !== 'watch');
  }

  /** Ends the engine, as a restart does; the clusters go on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.clock.advance(20_000);
    await this.#running;
    this.#stop = new AbortController();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #connection({ server, proxyUrl }: ConnectionSpec): FakeApi {
    const [direct] = [...this.#targets.values()].filter((target) => target.server === server);
    const api = this.behindProxies.get(proxyUrl) ?? direct;
    if (api === undefined) {
      throw new Error(`nothing is at ${server}`);
    }
    return api;
  }

  #logger(): Logger {
    const keep = (message: string, fields?: LogFields): void => {
      this.warnings.push(`${message} ${JSON.stringify(fields)}`);
    };
    return { ...silentLogger, warn: keep, error: keep, with: () => this.#logger() };
  }
}

/** A context whose cluster is at `https://NAME.example:6443`, or that of another context (`at`). */
export function entryOf(
  name: string,
  over: { at?: string; namespace?: string; fingerprint?: string; proxyUrl?: string } = {},
): ContextEntry {
  const server = `https://${over.at ?? name}.example:6443`;
  const { namespace, proxyUrl, fingerprint = proxyUrl === undefined ? name : `${name} ${proxyUrl}` } = over;
  return {
    name,
    server,
    connection: { server, fingerprint, proxyUrl },
    ...(namespace === undefined ? {} : { namespace }),
  };
}

import type { Catalog, CatalogContext, CatalogSettings } from '../../shared/catalog/catalog.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { ConnectionSpec } from '../../shared/kube/connection-spec.ts';
import type { ContextEntry } from '../../shared/kube/kubeconfig.ts';
import type { Logger } from '../../shared/logger.ts';
import { ContextLink } from './context-link.ts';
import { type ClusterEvidence, type ClusterMember, clusterId, groupByCluster } from './evidence.ts';

export interface ContextRegistryOptions {
  readonly source: { readonly server: string; readonly evidence: ClusterEvidence };
  readonly sourceNamespaceUid: (namespace: string) => Promise<string | undefined>;
  readonly connect: (spec: ConnectionSpec) => KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called after every change of a context, of a link's state, or of who is which cluster. */
  readonly onChange: () => void;
  readonly signal: AbortSignal;
  /** What the catalog holds besides the contexts. */
  readonly catalogSettings?: CatalogSettings | undefined;
}

interface LinkRun {
  readonly link: ContextLink;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

interface Member extends ClusterMember {
  readonly entry: ContextEntry | 'source';
  readonly link?: ContextLink | undefined;
}

/**
 * The contexts in use. Keeps a link for each one that can be used, and says which of them are one cluster.
 */
export class ContextRegistry {
  readonly #options: ContextRegistryOptions;
  readonly #runs = new Map<string, LinkRun>();
  readonly #ending = new Set<Promise<void>>();
  #entries: readonly ContextEntry[] = [];
  #catalog: Catalog = { contexts: new Map() };
  #links: ReadonlyMap<string, readonly ContextLink[]> = new Map();

  constructor(options: ContextRegistryOptions) {
    this.#options = options;
  }

  get catalog(): Catalog {
    return this.#catalog;
  }

  /** Links by target cluster; the source cluster's are not among them. */
  get linksByCluster(): ReadonlyMap<string, readonly ContextLink[]> {
    return this.#links;
  }

  link(context: string): ContextLink | undefined {
    return this.#runs.get(context)?.link;
  }

  /** Takes the contexts of a new kubeconfig. A context that did not change keeps its connection and identity. */
  apply(entries: readonly ContextEntry[]): void {
    const usable = new Map(entries.flatMap((entry) => ('connection' in entry ? [[entry.name, entry]] : [])));
    for (const [name, run] of this.#runs) {
      const entry = usable.get(name);
      const unchanged =
        entry !== undefined &&
        run.link.fingerprint === entry.connection.fingerprint &&
        run.link.namespace === entry.namespace;
      if (!unchanged) {
        this.#runs.delete(name);
        this.#end(run);
      }
    }
    for (const [name, entry] of usable) {
      if (!this.#runs.has(name)) {
        this.#runs.set(name, this.#start(name, entry.namespace, entry.connection));
      }
    }
    this.#entries = entries;
    this.#changed();
  }

  /** Ends every link; resolves when all connections are closed. */
  async close(): Promise<void> {
    for (const run of this.#runs.values()) {
      this.#end(run);
    }
    this.#runs.clear();
    await Promise.all(this.#ending);
  }

  #start(name: string, namespace: string | undefined, spec: ConnectionSpec): LinkRun {
    const { connect, clock, random, logger, signal, sourceNamespaceUid } = this.#options;
    const link = new ContextLink({
      name,
      namespace,
      server: spec.server,
      fingerprint: spec.fingerprint,
      client: connect(spec),
      sourceNamespaceUid,
      clock,
      random,
      logger,
      onChange: () => {
        this.#changed();
      },
    });
    const stop = new AbortController();
    return { link, stop, ended: link.run(AbortSignal.any([signal, stop.signal])) };
  }

  #end({ link, stop, ended }: LinkRun): void {
    stop.abort();
    const closed = ended.then(() => link.client.close()).catch(() => undefined);
    this.#ending.add(closed);
    void closed.then(() => this.#ending.delete(closed));
  }

  #changed(): void {
    const source: Member = { ...this.#options.source, entry: 'source', isSource: true };
    const members = this.#entries.map((entry): Member => {
      const link = this.#runs.get(entry.name)?.link;
      return { entry, link, server: entry.server, evidence: link?.evidence };
    });
    const contexts = new Map<string, CatalogContext>();
    const links = new Map<string, ContextLink[]>();
    for (const group of groupByCluster([source, ...members])) {
      const isSource = group.some(({ entry }) => entry === 'source');
      const cluster = clusterId(
        group,
        group.map(({ entry }) => (entry === 'source' ? '' : entry.name)).join(),
      );
      for (const { entry, link } of group) {
        if (entry === 'source') {
          continue;
        }
        contexts.set(entry.name, contextOf(entry, link, cluster, isSource));
        if (link?.evidence !== undefined && !isSource) {
          links.set(cluster, [...(links.get(cluster) ?? []), link]);
        }
      }
    }
    this.#catalog = { ...this.#options.catalogSettings, contexts };
    this.#links = links;
    this.#options.onChange();
  }
}

function contextOf(
  entry: ContextEntry,
  link: ContextLink | undefined,
  cluster: string,
  isSource: boolean,
): CatalogContext {
  return {
    name: entry.name,
    namespace: entry.namespace,
    server: entry.server,
    cluster,
    identified: link?.evidence !== undefined,
    settling: link?.state === 'settling',
    isSource,
    problem: 'problem' in entry ? entry.problem : link?.problem,
    unreachableSince: link?.downSince,
  };
}

import { isDeepStrictEqual } from 'node:util';
import type { Catalog, CatalogContext } from '../../shared/catalog/catalog.ts';
import type { CatalogSettings } from '../../shared/catalog/catalog-settings.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { ContextEntry } from '../../shared/kube/kubeconfig/kubeconfig.ts';
import { type ConnectionSpec, placeOf } from '../../shared/kube/kubeconfig/spec.ts';
import type { Logger } from '../../shared/logger.ts';
import { ContextLink, type LinkStatus, newLinkStatus } from './context-link.ts';
import {
  type ClusterEvidence,
  type ClusterMember,
  clusterId,
  groupByCluster,
  namespaceId,
} from './evidence.ts';
import { better, isKubeSystemUid, type LearntClusters } from './learnt-clusters.ts';

/** Milliseconds in which changes of links are gathered: hundreds of clusters answer within a moment at the start. */
const gatherMs = 20;

export interface ContextRegistryOptions {
  readonly source: { readonly place: string; readonly evidence: ClusterEvidence };
  readonly sourceNamespaceUid: (namespace: string) => Promise<string | undefined>;
  readonly connect: (spec: ConnectionSpec) => KubeClient;
  /** What this process and others learnt of clusters whose contexts cannot say all of it. */
  readonly learntClusters: LearntClusters;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called after changes of contexts, of links' states, or of which contexts are one cluster. */
  readonly onChange: () => void;
  readonly signal: AbortSignal;
  /** What the catalog holds besides the contexts. */
  readonly catalogSettings?: Partial<CatalogSettings>;
}

interface LinkRun {
  readonly link: ContextLink;
  readonly spec: ConnectionSpec;
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
  #gathering = false;
  #isFullLogged = false;

  constructor(options: ContextRegistryOptions) {
    this.#options = options;
    options.learntClusters.onTaken(() => {
      this.#changedSoon();
    });
  }

  get catalog(): Catalog {
    return this.#catalog;
  }

  /** Links by target cluster; the source cluster's are not among them. */
  get linksByCluster(): ReadonlyMap<string, readonly ContextLink[]> {
    return this.#links;
  }

  /** The contexts of the kubeconfig; one that cannot be used has no link. */
  get contexts(): readonly { readonly name: string; readonly link: ContextLink | undefined }[] {
    return this.#entries.map(({ name }) => ({ name, link: this.#runs.get(name)?.link }));
  }

  /**
   * Takes the contexts of a new kubeconfig. A context that did not change keeps its connection. One whose credentials
   * changed gets a new connection, and its cluster stays known; nothing is written there until it has been asked again,
   * since credentials can lead elsewhere, too. One that leads elsewhere is unknown until then.
   */
  apply(entries: readonly ContextEntry[]): void {
    const usable = new Map(entries.flatMap((entry) => ('connection' in entry ? [[entry.name, entry]] : [])));
    const replaced = new Map<string, ContextLink>();
    for (const [name, run] of this.#runs) {
      const entry = usable.get(name);
      const samePlace =
        entry !== undefined &&
        placeOf(entry.connection) === placeOf(run.spec) &&
        entry.namespace === run.link.namespace;
      if (!samePlace || entry.connection.fingerprint !== run.spec.fingerprint) {
        this.#runs.delete(name);
        this.#end(run);
      }
      if (samePlace) {
        replaced.set(name, run.link);
      }
    }
    for (const [name, entry] of usable) {
      if (!this.#runs.has(name)) {
        const { status = newLinkStatus } = replaced.get(name) ?? {};
        const state = status.state === 'up' ? 'settling' : status.state;
        this.#runs.set(name, this.#start(name, entry.namespace, entry.connection, { ...status, state }));
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

  #start(name: string, namespace: string | undefined, spec: ConnectionSpec, status: LinkStatus): LinkRun {
    const { connect, clock, random, logger, signal, sourceNamespaceUid } = this.#options;
    const link = new ContextLink({
      name,
      namespace,
      server: spec.server,
      client: connect(spec),
      status,
      sourceNamespaceUid,
      clock,
      random,
      logger,
      onChange: ({ evidence }) => {
        if (evidence === undefined || isDeepStrictEqual(evidence, link.evidence)) {
          this.#changedSoon();
        } else {
          // It can lead to another cluster now, through which what serves the one before must write nothing.
          this.#changed();
        }
      },
    });
    const stop = new AbortController();
    return { link, spec, stop, ended: link.run(AbortSignal.any([signal, stop.signal])) };
  }

  #end({ link, stop, ended }: LinkRun): void {
    stop.abort();
    const closed = ended.then(() => link.client.close()).catch(() => undefined);
    this.#ending.add(closed);
    void closed.then(() => this.#ending.delete(closed));
  }

  #changedSoon(): void {
    if (!this.#gathering) {
      this.#gathering = true;
      this.#options.clock.schedule(gatherMs, () => {
        this.#changed();
      });
    }
  }

  #changed(): void {
    this.#gathering = false;
    const source: Member = { ...this.#options.source, entry: 'source', isSource: true };
    const members = this.#entries.map((entry): Member => {
      const link = this.#runs.get(entry.name)?.link;
      const place = 'connection' in entry ? placeOf(entry.connection) : entry.server;
      return { entry, link, place, evidence: link?.evidence };
    });
    const contexts = new Map<string, CatalogContext>();
    const links = new Map<string, ContextLink[]>();
    for (const [cluster, group] of this.#named(groupByCluster([source, ...members]))) {
      const isOfSource = group.some(isSource);
      for (const { entry, link } of group) {
        if (entry === 'source') {
          continue;
        }
        contexts.set(entry.name, contextOf(entry, link?.status, cluster, isOfSource));
        if (link?.evidence !== undefined && !isOfSource) {
          const known = links.get(cluster);
          if (known === undefined) {
            links.set(cluster, [link]);
          } else {
            known.push(link);
          }
        }
      }
    }
    this.#catalog = { ...this.#options.catalogSettings, contexts };
    this.#links = links;
    this.#options.onChange();
  }

  /**
   * The groups with the identities of their clusters. One that does not show its uid of kube-system has the best that was learnt
   * of its namespaces, unless another group has that one: what was learnt never makes one cluster of two.
   */
  #named(groups: readonly (readonly Member[])[]): readonly (readonly [string, readonly Member[]])[] {
    const { learntClusters, logger } = this.#options;
    const named = groups.map((group) => [idOf(group), group] as const);
    const taken = new Set(named.map(([id]) => id));
    if (learntClusters.isFull && !this.#isFullLogged) {
      this.#isFullLogged = true;
      logger.warn(
        'no more is learnt of which namespaces are in one cluster, give contexts the right to get namespace kube-system',
      );
    }
    return named.map(([id, group]) => {
      const weakly = group.some(isSource) ? [] : group.flatMap(onlyNamespaceOf);
      const learnt = weakly
        .flatMap((uid) => learntClusters.clusterOf(uid) ?? [])
        .filter((cluster) => !taken.has(cluster));
      const cluster = isKubeSystemUid(id) ? id : learnt.reduce(better, id);
      taken.add(cluster);
      for (const uid of weakly.filter((one) => cluster !== namespaceId(one))) {
        learntClusters.learn(uid, cluster);
      }
      return [cluster, group];
    });
  }
}

function idOf(group: readonly Member[]): string {
  const names = group.map(({ entry }) => (entry === 'source' ? '' : entry.name));
  return clusterId(group, names.join());
}

function isSource({ entry }: Member): boolean {
  return entry === 'source';
}

/** The namespace's uid, where a member shows nothing better. */
function onlyNamespaceOf({ evidence }: Member): readonly string[] {
  return evidence?.kubeSystemUid === undefined && evidence?.namespace !== undefined
    ? [evidence.namespace.uid]
    : [];
}

function contextOf(
  entry: ContextEntry,
  status: LinkStatus | undefined,
  cluster: string,
  isSource: boolean,
): CatalogContext {
  return {
    name: entry.name,
    namespace: entry.namespace,
    server: entry.server,
    cluster,
    identified: status?.evidence !== undefined,
    settling: status?.state === 'settling' && status.evidence === undefined,
    isSource,
    problem: 'problem' in entry ? entry.problem : status?.problem,
    unreachableSince: status?.downSince,
  };
}

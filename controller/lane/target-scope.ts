import type { Clock, Random } from '../../shared/clock.ts';
import type { Keys } from '../../shared/keys.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { Reflector } from '../../shared/kube/reflector.ts';
import type { Logger } from '../../shared/logger.ts';
import type { SyncedKind } from '../../shared/synced-kind.ts';
import type { TargetRef } from '../claims/target-ref.ts';
import type { ContextLink } from '../contexts/context-link.ts';
import type { CopyIndex } from './copy-index.ts';
import type { ForeignCopies } from './foreign-copies.ts';

/**
 * A page of whole copies. The largest Secrets are 1.4 MB of JSON each, so that even a page of nothing else stays under
 * the 128 MiB that a connection takes as one answer.
 */
const pageSize = 80;

export interface TargetScopeOptions {
  readonly kind: SyncedKind;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly link: ContextLink;
  readonly index: CopyIndex;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** These copies are not as they were known. */
  readonly onChanged: (targets: readonly TargetRef[]) => void;
  readonly foreign: Pick<ForeignCopies, 'uidOf' | 'listed'>;
  /**
   * A list was finished: the whole scope is known now. `first`: it is the first of this scope; `copies`: how many
   * copies of ours it has.
   */
  readonly onListed: (first: boolean, copies: number) => void;
  /** The credentials may not list here. */
  readonly onForbidden: (scope: TargetScope) => void;
  readonly signal: AbortSignal;
}

/**
 * The copies of one kind in one namespace, or all namespaces, of a target cluster, seen by way of one context. The
 * first list is whole, so that contents are known; what follows is metadata.
 */
export class TargetScope {
  readonly namespace: string | undefined;
  readonly link: ContextLink;
  readonly #options: TargetScopeOptions;
  readonly #stop = new AbortController();
  readonly #reflector: Reflector<PayloadObject, NonNullable<ReturnType<CopyIndex['project']>>>;
  #forbidden = false;
  #listedWhole = false;
  #ended: Promise<void> | undefined;

  constructor(options: TargetScopeOptions) {
    this.namespace = options.namespace;
    this.link = options.link;
    this.#options = options;
    const { kind, index, link, keys, clock, random, logger } = options;
    let foreign = new Map<string, number>();
    this.#reflector = new Reflector({
      client: link.client,
      resource: kind.resource,
      namespace: options.namespace,
      labelSelector: keys.originCluster,
      firstListShape: 'full',
      shape: 'metadata',
      pageSize,
      clock,
      random,
      logger: logger.with({ context: link.name, kind: kind.name }),
      handler: {
        project: (object) => {
          const entry = index.project(kind.name, object, !this.#listedWhole);
          const uid = entry === undefined ? options.foreign.uidOf(object.metadata) : undefined;
          if (uid !== undefined) {
            foreign.set(uid, (foreign.get(uid) ?? 0) + 1);
          }
          return entry;
        },
        replaced: (items, { first, resourceVersion }) => {
          this.#listedWhole = true;
          this.#forbidden = false;
          options.foreign.listed(kind.name, options.namespace, foreign);
          foreign = new Map();
          options.onChanged(index.replace(kind.name, options.namespace, items, resourceVersion));
          options.onListed(first, items.filter(({ record }) => record.ownership === 'ours').length);
        },
        event: (event) => {
          const target = index.observe(kind.name, event);
          if (target !== undefined) {
            options.onChanged([target]);
          }
        },
        failed: (error) => {
          foreign = new Map();
          if (isApiError(error, 'Forbidden')) {
            this.#forbidden = true;
            options.onForbidden(this);
          } else if (!isApiError(error, 'Gone')) {
            link.suspect();
          }
        },
      },
    });
  }

  /** The last attempt to list was refused for want of rights. */
  get forbidden(): boolean {
    return this.#forbidden;
  }

  start(): void {
    this.#ended ??= this.#reflector.run(AbortSignal.any([this.#options.signal, this.#stop.signal]));
  }

  /** Tries again at once: the cluster is known to answer. */
  wake(): void {
    this.#reflector.wake();
  }

  /** Lists again without waiting for a reason. */
  relist(): void {
    this.#reflector.relist();
  }

  /** Ends the reflector, and with it all knowledge of the scope. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#listedWhole) {
      // At once: a successor may list the same scope before the reflector's last request has ended.
      this.#options.index.uncover(this.#options.kind.name, this.namespace);
    }
    await this.#ended;
  }
}

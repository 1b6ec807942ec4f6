import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import type { Keys } from '../../shared/keys.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { KubeObject, PayloadObject } from '../../shared/kube/object.ts';
import { Reflector } from '../../shared/kube/reflector/reflector.ts';
import type { LogFields, Logger } from '../../shared/logger.ts';
import type { SyncedKind } from '../../shared/synced-kind.ts';
import type { ContextLink } from '../contexts/context-link.ts';
import type { TargetRef } from '../copy/target-ref.ts';
import type { CopyIndex, ListedCopy } from './copy-index.ts';
import type { ForeignCopies } from './foreign-copies.ts';
import type { Verification } from './verification.ts';

export interface TargetScopeOptions {
  readonly kind: SyncedKind;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly link: ContextLink;
  readonly index: CopyIndex;
  readonly keys: Keys;
  readonly verification: Verification;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** These copies are not as they were known. */
  readonly onChanged: (targets: readonly TargetRef[]) => void;
  /** The contents of these copies could not be read page by page. */
  readonly onUnverified: (targets: readonly TargetRef[]) => void;
  /** This copy was known, and was deleted; after a deletion of ours its answer makes it unknown before the event comes. */
  readonly onLost: (target: TargetRef) => void;
  readonly foreign: Pick<ForeignCopies, 'uidOf' | 'listed'>;
  /**
   * A list was finished: the whole scope is known now. `first`: it is the first of this scope; `copies`: those of ours; `namespace`: the scope's.
   */
  readonly onListed: (first: boolean, copies: readonly ListedCopy[], namespace: string | undefined) => void;
  /** The credentials may not list the scope. True where it is given up, in favour of another scope or link. */
  readonly onForbidden: (scope: TargetScope) => boolean;
  /** The credentials may list the scope and not watch it. Called again with each further list. */
  readonly onUnwatchable: () => void;
  /** Lists began to fail. */
  readonly onListFailing: () => void;
  readonly signal: AbortSignal;
}

/**
 * The copies of one kind in one namespace, or all namespaces, of a target cluster, seen through one context. Lists and
 * watches are of metadata; after the first list, contents are read in the background.
 */
export class TargetScope {
  readonly namespace: string | undefined;
  readonly link: ContextLink;
  readonly #options: TargetScopeOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #reflector: Reflector<KubeObject, NonNullable<ReturnType<CopyIndex['project']>>>;
  #failure: unknown;
  #failures = 0;
  /** A watch was refused. */
  #unwatchable = false;
  #ended: Promise<void> | undefined;
  #verified: Promise<void> | undefined;

  constructor(options: TargetScopeOptions) {
    this.namespace = options.namespace;
    this.link = options.link;
    this.#options = options;
    const { kind, index, link, keys, clock, random, logger } = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    let foreign = new Map<string, number>();
    let begun = 0;
    this.#reflector = new Reflector({
      client: link.client,
      resource: kind.resource,
      namespace: options.namespace,
      labelSelector: keys.originCluster,
      firstListShape: 'metadata',
      shape: 'metadata',
      clock,
      random,
      logger: logger.with({ context: link.name, kind: kind.name }),
      handler: {
        listing: () => {
          begun = index.answers;
        },
        project: (object) => {
          const entry = index.project(kind.name, object, !this.#reflector.synced);
          const uid = entry === undefined ? options.foreign.uidOf(object.metadata) : undefined;
          if (uid !== undefined) {
            foreign.set(uid, (foreign.get(uid) ?? 0) + 1);
          }
          return entry;
        },
        replaced: (items, { first, resourceVersion }) => {
          this.#listed();
          if (this.#unwatchable) {
            options.onUnwatchable();
          }
          options.foreign.listed(kind.name, options.namespace, foreign);
          foreign = new Map();
          const changed = index.replace(kind.name, options.namespace, items, resourceVersion, begun);
          if (first) {
            this.#verified = this.#verify(items.length);
          } else {
            options.onChanged(changed);
          }
          options.onListed(
            first,
            items.filter(({ record }) => record.ownership === 'ours'),
            options.namespace,
          );
        },
        event: (event) => {
          this.#unwatchable = false;
          const known = index.size;
          const target = index.observe(kind.name, event);
          if (target !== undefined) {
            if (event.type === 'DELETED' && index.size < known) {
              options.onLost(target);
            }
            options.onChanged([target]);
          }
        },
        failed: (error, phase) => {
          foreign = new Map();
          if (phase === 'list') {
            if (isApiError(error, 'Forbidden') && options.onForbidden(this)) {
              return;
            }
            this.#listFailed(error);
          } else if (isApiError(error, 'Forbidden') && !this.#unwatchable) {
            // Perhaps the right to list is gone, too: a list shows it, once.
            this.#unwatchable = true;
            this.#reflector.relist();
          }
          if (!isApiError(error, 'Forbidden', 'Gone', 'TooManyRequests')) {
            link.suspect();
          }
        },
      },
    });
  }

  /** Why lists fail; undefined while they do not. */
  get failure(): unknown {
    return this.#failure;
  }

  start(): void {
    this.#ended ??= this.#reflector.run(this.#signal);
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
    if (this.#reflector.synced) {
      // At once: a successor may list the same scope before the reflector's last request has ended.
      this.#options.index.uncover(this.#options.kind.name, this.namespace);
    }
    await Promise.all([this.#ended, this.#verified]);
  }

  #listed(): void {
    if (this.#failure !== undefined) {
      this.#options.logger.info('copies on a target cluster are listed again', this.#logFields());
    }
    this.#failure = undefined;
    this.#failures = 0;
  }

  /** One failure is a hiccup, unless rights are missing. */
  #listFailed(error: unknown): void {
    const isFirst = this.#failure === undefined;
    this.#failures += 1;
    if (this.#failures > 1 || isApiError(error, 'Forbidden')) {
      this.#failure = error;
      if (isFirst) {
        const { logger, onListFailing } = this.#options;
        const fields = { ...this.#logFields(), ...errorFields(error) };
        logger.warn('copies on a target cluster cannot be listed', fields);
        onListFailing();
      }
    }
  }

  #logFields(): LogFields {
    return { context: this.link.name, kind: this.#options.kind.name, namespace: this.namespace ?? 'all' };
  }

  async #verify(listed: number): Promise<void> {
    const { kind, namespace, link, index, keys, verification, onChanged, onUnverified } = this.#options;
    if (listed === 0) {
      return;
    }
    const scope = {
      link,
      resource: kind.resource,
      namespace,
      labelSelector: keys.originCluster,
      onObject: (object: PayloadObject): void => {
        const drifted = index.verify(kind.name, object);
        if (drifted !== undefined) {
          onChanged([drifted]);
        }
      },
    };
    if (!(await verification.run(scope, this.#signal)) && !this.#signal.aborted) {
      onUnverified(index.unverified(kind.name, namespace));
    }
  }
}

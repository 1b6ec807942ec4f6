import type { Keys } from '../../shared/keys.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { type ApiError, isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { syncedKind } from '../../shared/synced-kind.ts';
import { buildCopy, type CopyPlan } from '../copy/build-copy.ts';
import type { CopyRecord } from '../copy/copy-record.ts';
import type { SourceCluster } from '../copy/origin.ts';
import type { TargetRef } from '../copy/target-ref.ts';
import type { CopyIndex } from '../target/copy-index.ts';
import type { Decision } from './decide.ts';

export type WriteDecision = Extract<Decision, { action: 'create' | 'update' | 'adopt' }>;
export type DeleteDecision = Extract<Decision, { action: 'delete' }>;

/**
 * What came of a write.
 * - `done`: it is as decided.
 * - `replaced`: done, by deleting and creating anew, since what had to change cannot be changed in place.
 * - `mutated`: it was accepted, but something on the target's side changed what we wrote.
 * - `seen`: nothing was written, since something else is there than was thought; decide again.
 */
export type WriteResult = 'done' | 'replaced' | 'mutated' | { readonly seen: CopyRecord | 'absent' };

export interface WriterOptions {
  readonly index: CopyIndex;
  readonly keys: Keys;
  readonly cluster: SourceCluster;
  readonly stampKey: Buffer;
  readonly signal: AbortSignal;
}

/**
 * The writes to one target cluster. Each one is safe under a second writer: a create fails where something is,
 * an update and a delete name the very version they are about.
 */
export class TargetWriter {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Creates or updates the copy. Throws ApiError or TransportError; the index then holds what a second look showed. */
  async write(client: KubeClient, target: TargetRef, decision: WriteDecision): Promise<WriteResult> {
    const plan = this.#planOf(target, decision);
    try {
      return await (decision.action === 'create'
        ? this.#create(client, plan)
        : this.#update(client, plan, decision.observed));
    } catch (error) {
      if (isApiError(error, 'AlreadyExists', 'Conflict', 'NotFound')) {
        return { seen: await this.look(client, target) };
      }
      if (error instanceof TransportError && error.sent) {
        await this.#lookAgain(client, target);
      }
      throw error;
    }
  }

  /** Deletes the copy at the version that the decision is about. */
  async remove(
    client: KubeClient,
    target: TargetRef,
    { observed }: Pick<DeleteDecision, 'observed'>,
  ): Promise<WriteResult> {
    const { resource } = syncedKind(target.kind);
    try {
      await this.#options.index.during(target, () =>
        orAbsent(
          client.delete<PayloadObject>(resource, target.namespace, target.name, {
            preconditions: { uid: observed.uid, resourceVersion: observed.resourceVersion },
            signal: this.#options.signal,
          }),
        ),
      );
      return 'done';
    } catch (error) {
      if (isApiError(error, 'Conflict')) {
        return { seen: await this.look(client, target) };
      }
      throw error;
    }
  }

  /** Reads what is under the target's name; `absent` where the API server says so. */
  async look(client: KubeClient, target: TargetRef): Promise<CopyRecord | 'absent'> {
    const { index, signal } = this.#options;
    const { resource } = syncedKind(target.kind);
    return await index.during(target, () =>
      orAbsent(client.get<PayloadObject>(resource, target.namespace, target.name, { signal })),
    );
  }

  #create(client: KubeClient, plan: CopyPlan, copy = buildCopy(plan)): Promise<WriteResult> {
    const { signal } = this.#options;
    return this.#send(plan, () => client.create(plan.kind.resource, copy, { signal }));
  }

  async #update(client: KubeClient, plan: CopyPlan, observed: CopyRecord): Promise<WriteResult> {
    const { signal } = this.#options;
    try {
      return await this.#send(plan, () =>
        client.update(plan.kind.resource, buildCopy(plan, observed), { signal }),
      );
    } catch (error) {
      if (isApiError(error, 'Invalid') && needsReplacement(error)) {
        return this.#replace(client, plan, observed);
      }
      throw error;
    }
  }

  /**
   * A Secret's type and an immutable object's payload can only be changed by deleting and creating. The create is
   * tried as a dry run first, so that nothing is deleted that could not be made again: validation and admission come
   * before the name is looked at, hence AlreadyExists means that it would be accepted.
   */
  async #replace(client: KubeClient, plan: CopyPlan, observed: CopyRecord): Promise<WriteResult> {
    const built = buildCopy(plan, observed);
    const { uid: _uid, resourceVersion: _version, ...metadata } = built.metadata;
    const copy: PayloadObject = { ...built, metadata };
    const { signal } = this.#options;
    try {
      await client.create(plan.kind.resource, copy, { signal, dryRun: true });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) {
        throw error;
      }
    }
    const removed = await this.remove(client, plan.target, { observed });
    if (typeof removed === 'object') {
      return removed;
    }
    const left = this.#options.index.observed(plan.target);
    if (left !== 'absent' && left !== 'unlisted') {
      // Finalizers hold the old object; the new one follows when it is gone.
      return { seen: left };
    }
    const result = await this.#create(client, plan, copy);
    return result === 'done' ? 'replaced' : result;
  }

  async #send(plan: CopyPlan, request: () => Promise<PayloadObject>): Promise<WriteResult> {
    const stored = await this.#options.index.during(plan.target, request);
    return stored !== 'absent' && stored.stamp === plan.source.stamp ? 'done' : 'mutated';
  }

  /** After a write whose outcome is unknown: what is there now is found out, or remains unknown until it is listed. */
  async #lookAgain(client: KubeClient, target: TargetRef): Promise<void> {
    try {
      await this.look(client, target);
    } catch {
      // The caller reports the write's own error; the next attempt is safe either way: it names a version.
    }
  }

  #planOf(target: TargetRef, { source, claim }: WriteDecision): CopyPlan {
    const { keys, cluster, stampKey } = this.#options;
    return { kind: syncedKind(target.kind), target, source, context: claim.context, keys, cluster, stampKey };
  }
}

/** What a request on one object yields; undefined where the API server says that the object does not exist. */
async function orAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {
      return undefined;
    }
    throw error;
  }
}

/** Fields that an API server refuses to change in place; `data` and `binaryData` only where the object is immutable. */
const fixedFields = new Set(['type', 'immutable', 'data', 'binaryData']);

function needsReplacement({ fields }: ApiError): boolean {
  return fields.some((field) => fixedFields.has(field));
}

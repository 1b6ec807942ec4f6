import type { TargetRef } from '../copy/target-ref.ts';
import type { SourceRecord } from '../source/source-record.ts';

/**
 * Whether a copy may be created.
 * - `allowed`
 * - `ambiguous`: the list names two contexts of this cluster; which of them is meant is for a person to say.
 * - `settling`: a context of the list is being reached for the first time, and may turn out to be this cluster, too.
 *
 * A copy that exists is kept up to date in any case.
 */
export type Creation = 'allowed' | 'ambiguous' | 'settling';

/** What one context of a list asks for, whichever object carries the list. */
export interface Ask {
  readonly context: string;
  /** Identity of the target cluster. */
  readonly cluster: string;
  /** The namespace of the copies; undefined: the source's own. */
  readonly namespace: string | undefined;
  readonly creation: Creation;
}

/** A source asks, through a context, for one target object. */
export interface Claim {
  readonly source: SourceRecord;
  readonly context: string;
  /** Identity of the target cluster. */
  readonly cluster: string;
  readonly target: TargetRef;
  readonly creation: Creation;
}

/** The claim that an ask of a source's list is. */
export function claimOf(source: SourceRecord, ask: Ask): Claim {
  const { context, cluster, creation } = ask;
  return { source, context, cluster, target: targetOf(source, ask), creation };
}

/** The object that an ask of a source's list is about. */
export function targetOf(
  { kind, namespace, name }: SourceRecord,
  ask: { readonly namespace?: string | undefined },
): TargetRef {
  return { kind, namespace: ask.namespace ?? namespace, name };
}

export function isSameAsk(left: Ask, right: Ask): boolean {
  return (
    left.context === right.context &&
    left.cluster === right.cluster &&
    left.namespace === right.namespace &&
    left.creation === right.creation
  );
}

import type { SourceRecord } from '../source/source-record.ts';
import type { TargetRef } from './target-ref.ts';

/** A source asks, by way of a context, for one target object. */
export interface Claim {
  readonly source: SourceRecord;
  readonly context: string;
  /** Identity of the target cluster. */
  readonly cluster: string;
  readonly target: TargetRef;
  /**
   * A standing copy is kept up to date, but none is made: the list names two contexts of this cluster, and which
   * of them is meant is for a person to say.
   */
  readonly updateOnly: boolean;
}

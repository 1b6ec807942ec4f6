import type { CopyRecord, RecordedOrigin } from '../copy/copy-record.ts';
import type { SourceRecord } from '../source/source-record.ts';
import type { Claim } from './claim.ts';

/** The copy that exists: which source and context made it. */
type Incumbent = Pick<CopyRecord, 'origin' | 'context'>;

/**
 * Which of several claims on one target object is served: the incumbent's while it still asks, else the oldest
 * source's (by creation, then by uid, so that every replica chooses alike). Among claims of one source, the context
 * that made the copy stays.
 */
export function chooseWinner(claims: readonly Claim[], incumbent: Incumbent | undefined): Claim | undefined {
  const incumbents = claims.filter(({ source }) => isSource(source, incumbent?.origin));
  const candidates = incumbents.length > 0 ? incumbents : claims;
  return candidates.toSorted(
    (left, right) =>
      preference(left, incumbent) - preference(right, incumbent) ||
      compare(left.source.creationTimestamp, right.source.creationTimestamp) ||
      compare(left.source.uid, right.source.uid) ||
      compare(left.context, right.context),
  )[0];
}

/** The same object by name: a source that was deleted and made again is still the one that asks. */
function isSource(source: SourceRecord, origin: RecordedOrigin | undefined): boolean {
  return source.namespace === origin?.namespace && source.name === origin.name;
}

function preference(claim: Claim, incumbent: Incumbent | undefined): number {
  return isSource(claim.source, incumbent?.origin) && claim.context === incumbent?.context ? 0 : 1;
}

function compare(left: string, right: string): number {
  if (left === right) {
    return 0;
  }
  return left < right ? -1 : 1;
}

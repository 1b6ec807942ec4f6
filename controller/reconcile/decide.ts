import type { Claim } from '../claims/claim.ts';
import { chooseWinner } from '../claims/winner.ts';
import type { SourceContent } from '../copy/build-copy.ts';
import { type CopyRecord, isIntact } from '../copy/copy-record.ts';
import type { Observed } from '../target/copy-index.ts';
import type { Facts, Release } from './facts.ts';
import type { DeleteReason, LeaveReason, RefuseReason, WaitReason, WriteReason } from './outcome.ts';

/** Exactly one thing to do about one target object, and why; or the one fact that is still missing. */
export type Decision =
  | { readonly action: 'gather'; readonly fact: 'observed' | 'release' }
  | {
      readonly action: 'gather';
      readonly fact: 'source';
      readonly claim: Claim;
      /** What is remembered does not do. */
      readonly fresh: boolean;
    }
  | {
      readonly action: 'create';
      readonly claim: Claim;
      readonly source: SourceContent;
      readonly reason: WriteReason;
    }
  | {
      readonly action: 'update' | 'adopt';
      readonly claim: Claim;
      readonly source: SourceContent;
      readonly observed: CopyRecord;
      readonly reason: WriteReason;
    }
  | { readonly action: 'delete'; readonly observed: CopyRecord; readonly reason: DeleteReason }
  | { readonly action: 'leave'; readonly reason: LeaveReason }
  | { readonly action: 'refuse'; readonly reason: RefuseReason }
  | { readonly action: 'wait'; readonly reason: WaitReason };

/**
 * Decides from facts alone. The same facts always give the same decision, and unknown facts only ever lead to
 * `gather` or `wait`.
 */
export function decide(facts: Facts): Decision {
  const { observed } = facts;
  if (observed === 'unlisted') {
    return { action: 'wait', reason: 'TargetNotListed' };
  }
  const winner = winnerOf(facts);
  return winner === undefined ? decideUnclaimed(facts, observed) : decideClaimed(facts, winner, observed);
}

/** The claim that is served, given the observed state. */
export function winnerOf({ claims, observed }: Pick<Facts, 'claims' | 'observed'>): Claim | undefined {
  return chooseWinner(claims, incumbentOf(observed));
}

function decideUnclaimed(facts: Facts, observed: 'absent' | CopyRecord): Decision {
  if (observed === 'absent') {
    return { action: 'leave', reason: 'Absent' };
  }
  if (observed.ownership !== 'ours') {
    return { action: 'leave', reason: observed.ownership === 'adoptable' ? 'UnclaimedAdoptable' : 'NotOurs' };
  }
  if (observed.terminating) {
    return { action: 'leave', reason: 'Terminating' };
  }
  const release = releaseOf(facts, observed);
  if (release === undefined) {
    return { action: 'gather', fact: 'release' };
  }
  if (release.released) {
    return { action: 'delete', observed, reason: release.reason };
  }
  return release.reason === 'ContextUnidentified'
    ? { action: 'wait', reason: 'ContextUnidentified' }
    : { action: 'leave', reason: release.reason };
}

function decideClaimed(facts: Facts, claim: Claim, observed: 'absent' | CopyRecord): Decision {
  if (observed === 'absent') {
    return decideAbsent(facts, claim);
  }
  if (observed.ownership === 'foreign') {
    return { action: 'refuse', reason: 'Unowned' };
  }
  if (observed.terminating) {
    // Without its labels it is in no watch: only another look shows that it went.
    return observed.labelled || facts.looked === true
      ? { action: 'wait', reason: 'CopyTerminating' }
      : { action: 'gather', fact: 'observed' };
  }
  if (observed.ownership === 'ours' && facts.versionsTrusted) {
    if (isUpToDate(observed, claim)) {
      return { action: 'leave', reason: 'InSync' };
    }
    if (observed.unverified && wasGivenPresentVersion(observed, claim)) {
      return { action: 'leave', reason: 'Unverified' };
    }
  }
  if (!isOriginOf(observed, claim)) {
    const obstacle = decideHandOver(facts, observed);
    if (obstacle !== undefined) {
      return obstacle;
    }
  }
  return withSource(facts, claim, (source, fresh) =>
    // Somebody who knows a newer version of the source wrote this: what we know is old. After a fresh read it is the
    // source that went back in time.
    facts.versionsTrusted && !fresh && isAhead(observed, source)
      ? { action: 'gather', fact: 'source', claim, fresh: true }
      : compare(observed, claim, source),
  );
}

function decideAbsent(facts: Facts, claim: Claim): Decision {
  switch (claim.creation) {
    case 'ambiguous':
      return { action: 'refuse', reason: 'AmbiguousCluster' };
    case 'settling':
      return { action: 'wait', reason: 'ContextSettling' };
    case 'allowed':
      return withSource(facts, claim, (source) => ({ action: 'create', claim, source, reason: 'Missing' }));
  }
}

/**
 * The copy of a source that no longer claims it passes to another claimant only when a live read shows that its own
 * source let it go: a list that became invalid for a moment must not cost its owner the copy.
 */
function decideHandOver(facts: Facts, observed: CopyRecord): Decision | undefined {
  const release = releaseOf(facts, observed);
  if (release === undefined) {
    return { action: 'gather', fact: 'release' };
  }
  if (release.released) {
    return undefined;
  }
  return release.reason === 'ContextUnidentified'
    ? { action: 'wait', reason: 'ContextUnidentified' }
    : { action: 'refuse', reason: 'ClaimedByOther' };
}

/**
 * What the index knows is enough: the content was compared with the source's present version, or it is what was given,
 * and that was the present version.
 */
function isUpToDate(observed: CopyRecord, claim: Claim): boolean {
  const { resourceVersion } = claim.source;
  return observed.inSyncWith === resourceVersion
    ? isMarkedFor(observed, claim)
    : isIntact(observed) && wasGivenPresentVersion(observed, claim);
}

function wasGivenPresentVersion(observed: CopyRecord, claim: Claim): boolean {
  return isMarkedFor(observed, claim) && observed.origin?.resourceVersion === claim.source.resourceVersion;
}

/** The copy was given a later version of this very source. */
function isAhead({ origin }: CopyRecord, source: SourceContent): boolean {
  return origin?.uid === source.uid && Number(origin.resourceVersion) > Number(source.resourceVersion);
}

function compare(observed: CopyRecord, claim: Claim, source: SourceContent): Decision {
  if (observed.ownership === 'adoptable') {
    return { action: 'adopt', claim, source, observed, reason: 'TakenOver' };
  }
  if (observed.stamp === undefined) {
    return { action: 'gather', fact: 'observed' };
  }
  if (observed.stamp === source.stamp) {
    // Equal content is left even where the source has a newer version: what would be written is only bookkeeping. A
    // version that a restored source has yet to reach is replaced, or it would be taken for a restore again.
    return isMarkedFor(observed, claim) && !isAhead(observed, source)
      ? { action: 'leave', reason: 'InSync' }
      : { action: 'update', claim, source, observed, reason: 'Relabelled' };
  }
  const reason = observed.origin?.stamp === source.stamp ? 'Drifted' : 'SourceChanged';
  return { action: 'update', claim, source, observed, reason };
}

function isOriginOf({ origin }: CopyRecord, { source }: Claim): boolean {
  return origin?.namespace === source.namespace && origin.name === source.name;
}

/** The marks on the copy name this claim's source and context, and its own place. */
function isMarkedFor(observed: CopyRecord, claim: Claim): boolean {
  return (
    observed.labelled &&
    isOriginOf(observed, claim) &&
    observed.origin?.uid === claim.source.uid &&
    observed.placed &&
    observed.context === claim.context
  );
}

function withSource(
  facts: Facts,
  claim: Claim,
  next: (source: SourceContent, fresh: boolean) => Decision,
): Decision {
  if (facts.source?.uid !== claim.source.uid) {
    return { action: 'gather', fact: 'source', claim, fresh: false };
  }
  const { reading, fresh } = facts.source;
  switch (reading.state) {
    case 'read':
      return next(reading.source, fresh);
    case 'changing':
      return { action: 'wait', reason: 'SourceChanging' };
    case 'special':
      return { action: 'refuse', reason: 'SpecialSecret' };
  }
}

/** The proof about this very version of the copy, where it was gathered. */
function releaseOf({ release }: Facts, { uid, resourceVersion }: CopyRecord): Release | undefined {
  return release?.uid === uid && release.resourceVersion === resourceVersion ? release.release : undefined;
}

function incumbentOf(observed: Observed): CopyRecord | undefined {
  // An unowned object's origin is somebody's claim about itself and chooses no winner.
  return typeof observed === 'string' || observed.ownership === 'foreign' ? undefined : observed;
}

import type { Claim } from '../claims/claim.ts';
import { chooseWinner } from '../claims/winner.ts';
import type { SourceContent } from '../copy/build-copy.ts';
import { type CopyRecord, isIntact } from '../copy/copy-record.ts';
import type { Observed } from '../target/copy-index.ts';
import type { Facts, Release } from './facts.ts';
import type { DeleteReason, LeaveReason, RefuseReason, WaitReason, WriteReason } from './outcome.ts';

/** Exactly one thing to do about one target object, and why; or the one fact that is still missing. */
export type Decision =
  | { readonly action: 'gather'; readonly fact: 'standing' | 'release' }
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
      readonly standing: CopyRecord;
      readonly reason: WriteReason;
    }
  | { readonly action: 'delete'; readonly standing: CopyRecord; readonly reason: DeleteReason }
  | { readonly action: 'leave'; readonly reason: LeaveReason }
  | { readonly action: 'refuse'; readonly reason: RefuseReason }
  | { readonly action: 'wait'; readonly reason: WaitReason };

/**
 * Decides from facts alone. The same facts always give the same decision, and unknown facts only ever lead to
 * `gather` or `wait`.
 */
export function decide(facts: Facts): Decision {
  const { standing } = facts;
  if (standing === 'unlisted') {
    return { action: 'wait', reason: 'TargetNotListed' };
  }
  const winner = winnerOf(facts);
  return winner === undefined ? decideUnclaimed(facts, standing) : decideClaimed(facts, winner, standing);
}

/** The claim that is served, given what stands there. */
export function winnerOf({ claims, standing }: Pick<Facts, 'claims' | 'standing'>): Claim | undefined {
  return chooseWinner(claims, incumbentOf(standing));
}

function decideUnclaimed(facts: Facts, standing: 'absent' | CopyRecord): Decision {
  if (standing === 'absent') {
    return { action: 'leave', reason: 'Absent' };
  }
  if (standing.ownership !== 'ours') {
    return { action: 'leave', reason: standing.ownership === 'adoptable' ? 'UnclaimedAdoptable' : 'NotOurs' };
  }
  if (standing.terminating) {
    return { action: 'leave', reason: 'Terminating' };
  }
  const release = releaseOf(facts, standing);
  if (release === undefined) {
    return { action: 'gather', fact: 'release' };
  }
  if (release.released) {
    return { action: 'delete', standing, reason: release.reason };
  }
  return release.reason === 'ContextUnidentified'
    ? { action: 'wait', reason: 'ContextUnidentified' }
    : { action: 'leave', reason: release.reason };
}

function decideClaimed(facts: Facts, claim: Claim, standing: 'absent' | CopyRecord): Decision {
  if (standing === 'absent') {
    return decideAbsent(facts, claim);
  }
  if (standing.ownership === 'foreign') {
    return { action: 'refuse', reason: 'Unowned' };
  }
  if (standing.terminating) {
    // Without its labels it is in no watch: only another look shows that it went.
    return standing.labelled || facts.looked === true
      ? { action: 'wait', reason: 'CopyTerminating' }
      : { action: 'gather', fact: 'standing' };
  }
  if (standing.ownership === 'ours' && facts.versionsTrusted) {
    if (isUpToDate(standing, claim)) {
      return { action: 'leave', reason: 'Level' };
    }
    if (standing.unverified && wasGivenPresentVersion(standing, claim)) {
      return { action: 'leave', reason: 'Unverified' };
    }
  }
  if (!isOriginOf(standing, claim)) {
    const obstacle = decideHandOver(facts, standing);
    if (obstacle !== undefined) {
      return obstacle;
    }
  }
  return withSource(facts, claim, (source, fresh) =>
    // Somebody who knows a newer version of the source wrote this: what we know is old. After a fresh read it is the
    // source that went back in time.
    facts.versionsTrusted && !fresh && isAhead(standing, source)
      ? { action: 'gather', fact: 'source', claim, fresh: true }
      : compare(standing, claim, source),
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
function decideHandOver(facts: Facts, standing: CopyRecord): Decision | undefined {
  const release = releaseOf(facts, standing);
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
function isUpToDate(standing: CopyRecord, claim: Claim): boolean {
  const { resourceVersion } = claim.source;
  return standing.inSyncWith === resourceVersion
    ? isMarkedFor(standing, claim)
    : isIntact(standing) && wasGivenPresentVersion(standing, claim);
}

function wasGivenPresentVersion(standing: CopyRecord, claim: Claim): boolean {
  return isMarkedFor(standing, claim) && standing.origin?.resourceVersion === claim.source.resourceVersion;
}

/** The copy was given a later version of this very source. */
function isAhead({ origin }: CopyRecord, source: SourceContent): boolean {
  return origin?.uid === source.uid && Number(origin.resourceVersion) > Number(source.resourceVersion);
}

function compare(standing: CopyRecord, claim: Claim, source: SourceContent): Decision {
  if (standing.ownership === 'adoptable') {
    return { action: 'adopt', claim, source, standing, reason: 'TakenOver' };
  }
  if (standing.stamp === undefined) {
    return { action: 'gather', fact: 'standing' };
  }
  if (standing.stamp === source.stamp) {
    // Equal content is left even where the source has a newer version: what would be written is only bookkeeping. A
    // version that a restored source has yet to reach is replaced, or it would be taken for a restore again.
    return isMarkedFor(standing, claim) && !isAhead(standing, source)
      ? { action: 'leave', reason: 'Level' }
      : { action: 'update', claim, source, standing, reason: 'Relabelled' };
  }
  const reason = standing.origin?.stamp === source.stamp ? 'Drifted' : 'SourceChanged';
  return { action: 'update', claim, source, standing, reason };
}

function isOriginOf({ origin }: CopyRecord, { source }: Claim): boolean {
  return origin?.namespace === source.namespace && origin.name === source.name;
}

/** The marks on the copy name this claim's source and context, and its own place. */
function isMarkedFor(standing: CopyRecord, claim: Claim): boolean {
  return (
    standing.labelled &&
    isOriginOf(standing, claim) &&
    standing.origin?.uid === claim.source.uid &&
    standing.placed &&
    standing.context === claim.context
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

function incumbentOf(standing: Observed): CopyRecord | undefined {
  // An unowned object's origin is somebody's claim about itself and chooses no winner.
  return typeof standing === 'string' || standing.ownership === 'foreign' ? undefined : standing;
}

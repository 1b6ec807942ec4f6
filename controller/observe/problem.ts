import { isApiError } from '../../shared/kube/errors.ts';
import type { Claim } from '../claims/claim.ts';
import type { Outcome } from '../reconcile/outcome.ts';
import type { ProblemReason } from './event-reason.ts';

/** Something that keeps a source from being copied, for people: an Event's reason and message. Never any payload. */
export interface Problem {
  readonly reason: ProblemReason;
  readonly message: string;
}

/** What is known of the target beside a pass's outcome. */
export interface TargetState {
  /** Why the cluster of the claim's context does not answer, as a sentence. */
  readonly unreachable: string | undefined;
  /** Why the copies cannot be listed; undefined while they can. */
  readonly listFailure: unknown;
  /** The source whose copy is there. */
  readonly winner: Claim | undefined;
}

/**
 * The problem that an outcome is for a claim; undefined when all is well, `unclear` when the outcome says nothing about
 * the claim that will last (what was a problem before stays one).
 */
export function problemOf(
  outcome: Outcome,
  claim: Claim,
  around: TargetState,
): Problem | undefined | 'unclear' {
  const { winner } = around;
  if (winner !== undefined && winner.source.uid !== claim.source.uid && knowsOwner(outcome)) {
    return claimedByOther(claim, `${winner.source.namespace}/${winner.source.name}`);
  }
  switch (outcome.kind) {
    case 'written':
    case 'left':
      return undefined;
    case 'refused':
      return problemOfRefusal(outcome.reason, claim);
    case 'waiting':
      return problemOfWait(outcome.reason, claim, around);
    case 'failed':
      return problemOfFailure(outcome.error, claim);
  }
}

/** Whether the pass saw whose copy is there. While nothing is listed, or a foreign object is there, nobody has it. */
function knowsOwner(outcome: Outcome): boolean {
  const { kind } = outcome;
  return !(
    (kind === 'waiting' && outcome.reason === 'TargetNotListed') ||
    (kind === 'refused' && outcome.reason === 'Unowned')
  );
}

function place({ target, context }: Claim): string {
  return `${target.kind} ${target.namespace}/${target.name} in the cluster of context "${context}"`;
}

function claimedByOther(claim: Claim, owner: string): Problem {
  return {
    reason: 'ClaimedByOther',
    message: `${place(claim)} is the copy of ${owner}, which keeps it while it asks for it. Rename one of the two, or give the context another namespace.`,
  };
}

function problemOfRefusal(
  reason: Extract<Outcome, { kind: 'refused' }>['reason'],
  claim: Claim,
): Problem | 'unclear' {
  switch (reason) {
    case 'Unowned':
      return {
        reason,
        message: `${place(claim)} exists and is not a copy of this object; it is left untouched. Delete or rename it there, and the copy is made.`,
      };
    case 'ClaimedByOther':
      return claimedByOther(claim, 'another source that may still want it');
    case 'SpecialSecret':
      return {
        reason,
        message:
          'Service account tokens, bootstrap tokens and Helm releases are never copied; remove the annotation.',
      };
    case 'AmbiguousCluster':
      // The source's own Event about its list says it.
      return 'unclear';
  }
}

function problemOfWait(
  reason: Extract<Outcome, { kind: 'waiting' }>['reason'],
  claim: Claim,
  { unreachable, listFailure }: TargetState,
): Problem | 'unclear' {
  switch (reason) {
    case 'TargetUnreachable':
      return unreachableTarget(claim, unreachable);
    case 'TargetNotListed':
      return unreachable === undefined && listFailure !== undefined
        ? failingList(claim, listFailure)
        : unreachableTarget(claim, unreachable);
    case 'CopyTerminating':
      return {
        reason,
        message: `${place(claim)} is being deleted, and finalizers hold it. The copy is created again as soon as it is gone; remove the finalizers if whatever set them is.`,
      };
    case 'Contested':
      return {
        reason,
        message: `Something in the cluster of context "${claim.context}" keeps changing ${claim.target.kind} ${claim.target.namespace}/${claim.target.name}, which is repaired less and less often now. Find out what it is, or take the context off the list.`,
      };
    case 'SourceChanging':
    case 'ContextSettling':
    case 'ContextUnidentified':
    case 'DeletionGuard':
      return 'unclear';
  }
}

function unreachableTarget({ context }: Claim, unreachable: string | undefined): Problem | 'unclear' {
  return unreachable === undefined
    ? 'unclear'
    : {
        reason: 'TargetUnreachable',
        message: `The cluster of context "${context}" cannot be reached: ${unreachable}. The copy follows as soon as it can.`,
      };
}

function failingList({ context, target }: Claim, failure: unknown): Problem {
  return isApiError(failure, 'Forbidden')
    ? {
        reason: 'TargetForbidden',
        message: `The credentials of context "${context}" may not list and watch ${target.kind}s; grant get, list, watch, create, update and delete in namespace "${target.namespace}" at least.`,
      }
    : {
        reason: 'TargetListFailed',
        message: `The copies in the cluster of context "${context}" cannot be listed (${isApiError(failure) ? `${failure.status} ${failure.reason}` : 'no usable answer'}), and nothing is written before they are; it is tried again.`,
      };
}

function problemOfFailure(error: unknown, claim: Claim): Problem | 'unclear' {
  if (!isApiError(error)) {
    return 'unclear';
  }
  const { target, context } = claim;
  switch (error.reason) {
    case 'NamespaceNotFound':
      return {
        reason: 'NamespaceNotFound',
        message: `Namespace "${target.namespace}" does not exist in the cluster of context "${context}"; namespaces are never created. Create it there, and the copy follows.`,
      };
    case 'NamespaceTerminating':
      return {
        reason: 'NamespaceTerminating',
        message: `Namespace "${target.namespace}" is being deleted in the cluster of context "${context}". The copy follows when it exists again.`,
      };
    case 'Forbidden':
      return {
        reason: 'TargetForbidden',
        message: `The cluster of context "${context}" refuses to let ${target.kind} ${target.namespace}/${target.name} be written (403 Forbidden). Grant the context's user get, list, watch, create, update and delete on ${target.kind}s there, or see what its quotas and admission webhooks object to.`,
      };
    case 'Invalid':
    case 'BadRequest':
    case 'TooLarge':
      return {
        reason: 'TargetRefused',
        message: `The cluster of context "${context}" refuses ${target.kind} ${target.namespace}/${target.name} (${error.status} ${error.reason}${error.fields.length > 0 ? `: ${error.fields.join(', ')}` : ''}).`,
      };
    case 'ServerError':
    case 'Unexpected':
      return {
        reason: 'TargetFailed',
        message: `The cluster of context "${context}" failed to write ${target.kind} ${target.namespace}/${target.name} (${error.status} ${error.reason}); it is tried again.`,
      };
    default:
      return 'unclear';
  }
}

import type { Catalog } from '../shared/catalog/catalog.ts';
import type { Keys } from '../shared/keys.ts';
import { isCopy } from '../shared/rules/copy-mark.ts';
import type { Subject } from '../shared/rules/subject.ts';
import type { ViolationReason } from '../shared/rules/violation.ts';
import { type SyncedKind, syncedKinds } from '../shared/synced-kind.ts';
import type { AdmissionRequest, AdmissionResponse, ReviewedObject } from './admission-review.ts';
import type { Judgements } from './judgements.ts';
import { syncIgnored } from './warnings.ts';

/** The contexts that are known; where none ever were, a sentence that says what is missing and what to do. */
export type CatalogInUse = { readonly catalog: Catalog } | { readonly missing: string };

/** What a request is reviewed against. */
export interface ReviewCircumstances {
  readonly keys: Keys;
  readonly ownNamespace: string;
  readonly contexts: CatalogInUse;
  readonly judgements: Judgements;
}

/** Why an object is refused. */
export type RefusalReason = ViolationReason | 'CatalogMissing';

interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
}

const noContexts: Catalog = { contexts: new Map() };
/** The object is as it should not be. */
const unprocessable = 422;
/** The object may be right; it cannot be judged at present. */
const unavailable = 503;
/** As many sentences as a person still reads: an annotation can hold thousands of wrong names. */
const maxSentences = 20;
/** Characters of one sentence: twenty names of 253 characters and their suggestions. */
const maxSentenceCharacters = 8_000;

/**
 * The verdict on one request. Pure, and total: whatever the API server sends gets an answer. Only a new or changed
 * annotation can be refused, never its removal, so that nobody is kept from correcting or removing what is there.
 * `deletionTimestamp` means nothing here: an object that waits for its finalizers is still copied.
 */
export function review(request: AdmissionRequest, circumstances: ReviewCircumstances): AdmissionResponse {
  const { uid } = request;
  const kind = syncedKindOf(request);
  const key = circumstances.keys.syncContexts;
  const value = annotation(request.object, key);
  const gone = request.operation === 'DELETE' || value === undefined;
  if (
    kind === undefined ||
    gone ||
    (request.operation === 'UPDATE' && annotation(request.oldObject, key) === value)
  ) {
    return { uid, allowed: true };
  }
  const { keys } = circumstances;
  const subject = subjectOf(request, kind, keys);
  const { refusals, warnings } = judgementOf(subject, value, circumstances);
  const all =
    annotation(request.object, keys.sync) === undefined ? warnings : [syncIgnored(keys), ...warnings];
  return {
    uid,
    ...(refusals.length === 0
      ? { allowed: true }
      : { allowed: false, status: statusOf(subject, refusals, keys) }),
    ...(all.length === 0 ? {} : { warnings: all }),
  };
}

/** The answer when reviewing itself failed: nobody knows whether the object is right, so it is refused. */
export function failedReview(uid: string): AdmissionResponse {
  return {
    uid,
    allowed: false,
    status: {
      code: 500,
      message:
        'context-syncer could not review the object because of an error of its own, which the log of its webhook shows; try again, and report it.',
    },
  };
}

/** Why a response refuses, for logs and metrics. */
export function refusalReasons(response: AdmissionResponse): readonly string[] {
  const reasons = response.status?.details?.causes.map(({ reason }) => reason) ?? [];
  return response.allowed ? [] : [...new Set(reasons.length > 0 ? reasons : ['InternalError'])];
}

function syncedKindOf({ kind }: AdmissionRequest): SyncedKind | undefined {
  return kind.group === '' ? syncedKinds.find(({ name }) => name === kind.kind) : undefined;
}

function annotation(object: ReviewedObject | null | undefined, key: string): string | undefined {
  const annotations = object?.metadata?.annotations ?? {};
  return Object.hasOwn(annotations, key) ? annotations[key] : undefined;
}

/** The object under review; `name` is empty while the API server has yet to generate it. */
interface NamedSubject extends Omit<Subject, 'list'> {
  readonly name: string;
}

function subjectOf(request: AdmissionRequest, kind: SyncedKind, keys: Keys): NamedSubject {
  const { object } = request;
  return {
    kind: kind.name,
    namespace: request.namespace ?? object?.metadata?.namespace ?? '',
    name: (request.name === '' ? undefined : request.name) ?? object?.metadata?.name ?? '',
    isCopy: isCopy(object?.metadata ?? {}, keys),
    type: object?.type ?? undefined,
  };
}

function judgementOf(
  subject: NamedSubject,
  value: string,
  circumstances: ReviewCircumstances,
): { readonly refusals: readonly Refusal[]; readonly warnings: readonly string[] } {
  const { contexts, judgements } = circumstances;
  if ('catalog' in contexts) {
    return judgements.of(subject, value, { ...circumstances, catalog: contexts.catalog });
  }
  // Without a catalog every name is unknown, which is no fault of the list; the other rules hold all the same.
  const { refusals } = judgements.of(subject, value, { ...circumstances, catalog: noContexts });
  const faults = refusals.filter(({ reason }) => reason !== 'UnknownContext');
  return { refusals: [...faults, { reason: 'CatalogMissing', message: contexts.missing }], warnings: [] };
}

function statusOf(
  subject: NamedSubject,
  refusals: readonly Refusal[],
  keys: Keys,
): NonNullable<AdmissionResponse['status']> {
  const shown = refusals.slice(0, maxSentences).map(({ reason, message }) => ({
    reason,
    message:
      message.length <= maxSentenceCharacters
        ? message
        : `${message.slice(0, maxSentenceCharacters).toWellFormed()}…`,
  }));
  const object = `${subject.kind} ${subject.namespace}/${subject.name === '' ? '(no name yet)' : subject.name}`;
  const [only] = shown;
  const more = refusals.length - shown.length;
  return {
    code: refusals.every(({ reason }) => reason === 'CatalogMissing') ? unavailable : unprocessable,
    message:
      only !== undefined && refusals.length === 1
        ? `${object}: ${only.message}`
        : [
            `${object} has ${refusals.length} problems:`,
            ...shown.map(({ message }) => `- ${message}`),
            ...(more > 0 ? [`- ${more} more problems are not shown.`] : []),
          ].join('\n'),
    details: {
      kind: subject.kind,
      name: subject.name,
      causes: shown.map((refusal) => ({
        ...refusal,
        field: `metadata.annotations[${keys.syncContexts}]`,
      })),
    },
  };
}

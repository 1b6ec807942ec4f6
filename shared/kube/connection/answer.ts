import { isRecord } from '../../is-record.ts';
import { ApiError, type ApiErrorReason } from '../errors.ts';
import type { KubeObject, ListPage } from '../object.ts';

/** What was asked, as far as it decides what a refusal means. */
export interface Question {
  readonly plural: string;
  /** The object that was read, changed or deleted; absent for collections. */
  readonly name?: string | undefined;
}

/** The parts of a `Status` that are acted on. Its message is never kept: it can echo payload. */
interface Status {
  readonly reason: string;
  readonly code: number | undefined;
  readonly kind: string;
  readonly name: string;
  readonly retryAfterSeconds: number | undefined;
  readonly causes: readonly { readonly reason: string; readonly field: string }[];
}

/** Field paths of an answer that are kept, and characters of each: enough to find the place in an object. */
const maxFields = 10;
const maxFieldLength = 200;

/** What an answer other than 2xx means. `body` is the parsed JSON, undefined where it was something else. */
export function refusal(
  httpStatus: number,
  body: unknown,
  question: Question,
  retryAfterHeader?: string,
): ApiError {
  const status = readStatus(body);
  return new ApiError(httpStatus, reasonOf(httpStatus, status, question), {
    fields: fieldsOf(status),
    retryAfterMs: retryAfterMs(retryAfterHeader, status),
  });
}

/** What the object of a watch's ERROR event means: a Status whose code is the HTTP status. */
export function watchRefusal(object: unknown, question: Question): ApiError {
  const code = readStatus(object)?.code ?? 500;
  return refusal(code, object, question);
}

function reasonOf(httpStatus: number, status: Status | undefined, question: Question): ApiErrorReason {
  switch (httpStatus) {
    case 400:
      return 'BadRequest';
    case 401:
      return 'Unauthorized';
    case 403:
      return status?.causes.some((cause) => cause.reason === 'NamespaceTerminating') === true
        ? 'NamespaceTerminating'
        : 'Forbidden';
    case 404:
      return missing(status, question);
    case 409:
      return status?.reason === 'AlreadyExists' ? 'AlreadyExists' : 'Conflict';
    case 410:
      return 'Gone';
    case 413:
      return 'TooLarge';
    case 422:
      return 'Invalid';
    case 429:
      return 'TooManyRequests';
    default:
      return httpStatus >= 500 && httpStatus <= 599 ? 'ServerError' : 'Unexpected';
  }
}

/**
 * 404 is taken as absence only where the Status names the very object that was asked for. A proxy that lost its
 * backend, a wrong path in the server URL or a webhook that denies with 404 say "not found", too, and absence can
 * lead to deletion.
 */
function missing(status: Status | undefined, question: Question): ApiErrorReason {
  if (status?.reason !== 'NotFound') {
    return 'Unexpected';
  }
  if (status.kind === 'namespaces' && question.plural !== 'namespaces' && status.name !== '') {
    return 'NamespaceNotFound';
  }
  return status.kind === question.plural && question.name !== undefined && status.name === question.name
    ? 'NotFound'
    : 'Unexpected';
}

function fieldsOf(status: Status | undefined): string[] {
  const fields = new Set<string>();
  for (const cause of status?.causes ?? []) {
    if (cause.field !== '' && fields.size < maxFields) {
      fields.add(cause.field.slice(0, maxFieldLength));
    }
  }
  return [...fields];
}

function retryAfterMs(header: string | undefined, status: Status | undefined): number | undefined {
  // API servers send whole seconds; the form with a date is not used by them.
  const seconds =
    header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : status?.retryAfterSeconds;
  return seconds === undefined || seconds < 0 ? undefined : seconds * 1000;
}

function readStatus(body: unknown): Status | undefined {
  if (!isRecord(body) || body['kind'] !== 'Status') {
    return undefined;
  }
  const details = isRecord(body['details']) ? body['details'] : {};
  const causes = Array.isArray(details['causes']) ? details['causes'] : [];
  return {
    reason: text(body['reason']),
    code: typeof body['code'] === 'number' ? body['code'] : undefined,
    kind: text(details['kind']),
    name: text(details['name']),
    retryAfterSeconds:
      typeof details['retryAfterSeconds'] === 'number' && details['retryAfterSeconds'] > 0
        ? details['retryAfterSeconds']
        : undefined,
    causes: causes
      .filter((cause) => isRecord(cause))
      .map((cause) => ({ reason: text(cause['reason']), field: text(cause['field']) })),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/**
 * The caller names the type. What the program relies on is checked: an answer by somebody else must not pass for an
 * object. Reviews (who am I, may I) have no name.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- only the caller knows the type that it asked the server for
export function isObjectNamed<T extends KubeObject>(value: unknown, name: string): value is T {
  return hasMetadata(value) && (value.metadata.name ?? '') === name;
}

/** `{}` must not pass for an empty list, because absence from a list can lead to deletion. */
export function isListPage<T extends KubeObject>(value: unknown): value is ListPage<T> {
  return hasMetadata(value) && 'items' in value && (value.items === null || Array.isArray(value.items));
}

function hasMetadata(value: unknown): value is { metadata: { name?: unknown } } {
  return (
    value !== null &&
    typeof value === 'object' &&
    'metadata' in value &&
    value.metadata !== null &&
    typeof value.metadata === 'object'
  );
}

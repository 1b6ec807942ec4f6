/**
 * What can go wrong between us and an API server. The server's own message is never kept: validation and
 * admission messages can echo the payload of users' objects. Reason, code and field names are enough to act on.
 */
export type ApiErrorReason =
  | 'NotFound'
  | 'NamespaceNotFound'
  | 'NamespaceTerminating'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Invalid'
  | 'Forbidden'
  | 'Unauthorized'
  | 'Gone'
  | 'TooManyRequests'
  | 'TooLarge'
  | 'BadRequest'
  | 'ServerError'
  | 'Unexpected';

/**
 * The Retry-After that is obeyed, in milliseconds: a broken proxy must neither silence us for a day nor, with 0, have us
 * try again at once and without end. API servers send one second or more.
 */
const retryAfterBounds = { min: 1_000, max: 60_000 };

/** An API server answered, and the answer is a refusal. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: ApiErrorReason;
  /** Field paths of a validation error, such as `data` or `metadata.labels`; without values. */
  readonly fields: readonly string[];
  /** From a Retry-After header or `details.retryAfterSeconds`, in milliseconds, from 1,000 to 60,000. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    reason: ApiErrorReason,
    options: { fields?: readonly string[]; retryAfterMs?: number | undefined } = {},
  ) {
    const fields = options.fields ?? [];
    super(`the API server answered ${status} ${reason}${fields.length > 0 ? ` (${fields.join(', ')})` : ''}`);
    this.status = status;
    this.reason = reason;
    this.fields = fields;
    const { min, max } = retryAfterBounds;
    this.retryAfterMs =
      options.retryAfterMs === undefined ? undefined : Math.min(max, Math.max(min, options.retryAfterMs));
  }
}

export type TransportErrorReason =
  | 'ConnectionRefused'
  | 'ConnectionReset'
  | 'NameNotResolved'
  | 'Timeout'
  | 'CertificateNotTrusted'
  | 'ClientCertificateRefused'
  | 'CredentialsUnusable'
  | 'MalformedAnswer'
  | 'Other';

/**
 * No usable answer came. The outcome of a write that ended so is unknown, unless `sent` is false.
 */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly reason: TransportErrorReason;
  /** False only where it is certain that the server never saw the request. */
  readonly sent: boolean;

  constructor(reason: TransportErrorReason, sent: boolean, detail: string, options?: ErrorOptions) {
    super(`no answer from the API server: ${reason}${detail === '' ? '' : `: ${detail}`}`, options);
    this.reason = reason;
    this.sent = sent;
  }
}

/** The credentials cannot be used: a file is missing or holds something else. Names the file or the setting, never its content. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}

/** The caller's signal aborted the request. */
export class AbortedError extends Error {
  override readonly name = 'AbortedError';
  constructor() {
    super('the request was aborted because the process or this connection is stopping');
  }
}

/** True for an ApiError with one of these reasons. */
export function isApiError(error: unknown, ...reasons: readonly ApiErrorReason[]): error is ApiError {
  return error instanceof ApiError && (reasons.length === 0 || reasons.includes(error.reason));
}

/** The code of an error of Node, such as `ENOENT`; `unknown` where it has none. A code is a constant, unlike a message. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
}

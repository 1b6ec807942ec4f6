import { AbortedError, ApiError, CredentialsError, TransportError } from './kube/errors.ts';
import type { LogFields } from './logger.ts';

/**
 * What may be logged of an error. The message of an error that is not known to be harmless never appears: a parser's
 * or a server's message can quote the payload of a user's object. Name, code and the place in our code lead to it.
 */
export function errorFields(error: unknown): LogFields {
  if (error instanceof ApiError) {
    return {
      error: error.name,
      reason: error.reason,
      status: error.status,
      fields: error.fields.length > 0 ? error.fields : undefined,
    };
  }
  if (error instanceof TransportError) {
    return {
      error: error.name,
      reason: error.reason,
      sent: error.sent,
      cause: causeOf(error),
      // It names a file or a setting, never its content, and without it nobody knows which one to correct.
      problem: error.cause instanceof CredentialsError ? error.cause.message : undefined,
    };
  }
  if (error instanceof AbortedError) {
    return { error: error.name };
  }
  if (error instanceof Error) {
    return { error: identifier(error.name), code: codeOf(error), cause: causeOf(error), at: topFrame(error) };
  }
  return { error: `a thrown ${error === null ? 'null' : typeof error}` };
}

/** Codes of Node and its libraries (`ECONNRESET`, `ERR_INVALID_ARG_TYPE`) are constants, their messages are not. */
function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(error.code)
    ? error.code
    : undefined;
}

function causeOf({ cause }: Error): string | undefined {
  return cause instanceof Error ? (codeOf(cause) ?? identifier(cause.name)) : undefined;
}

/** A name can be set to anything, too; only what looks like a class's name passes. */
function identifier(name: string): string {
  return /^[A-Za-z_$][\w$]{0,60}$/.test(name) ? name : 'Error';
}

/** A frame's end in V8's notation: a file, `node:` module or URL with line and column, in parentheses or not. */
const frame = /^ {4}at (?:.*\()?(?<place>(?:file:\/\/|node:|\/|[A-Za-z]:\\)[^\s()]+:\d+:\d+)\)?$/;

/** Where an error was made: `file:///app/dist/shared/x.js:10:5`. Undefined when the stack does not show it for certain. */
export function topFrame(error: Error): string | undefined {
  const { stack, message } = error;
  const start = stack?.indexOf(message) ?? -1;
  if (stack === undefined || start < 0) {
    return undefined;
  }
  // The stack begins with the message, which can hold lines that look like frames: search behind it only.
  for (const line of stack
    .slice(start + message.length)
    .split('\n')
    .slice(1)) {
    const place = frame.exec(line)?.groups?.['place'];
    if (place !== undefined) {
      return place;
    }
  }
  return undefined;
}

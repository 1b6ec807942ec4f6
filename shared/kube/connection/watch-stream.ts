import type { WatchEvent } from '../client.ts';
import { TransportError } from '../errors.ts';
import type { KubeObject } from '../object.ts';
import { type Question, watchRefusal } from './answer.ts';

/**
 * The longest line of a watch, in bytes. An object is at most 3 MiB when it is written; JSON escaping can make each byte
 * six. More is not an API server.
 */
export const maxLineBytes = 32 * 1024 * 1024;

/**
 * Cuts a byte stream into lines. Lines are cut as bytes, so a character that spans two chunks stays whole, and a line of
 * many chunks is put together once.
 */
export class LineSplitter {
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  /** The lines that this chunk completes. Throws TransportError MalformedAnswer for a line over the limit. */
  *push(chunk: Buffer): Generator<string, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      let line: string;
      if (this.#pendingBytes === 0) {
        line = chunk.toString('utf8', start, end);
      } else {
        this.#pending.push(chunk.subarray(start, end));
        line = Buffer.concat(this.#pending).toString('utf8');
        this.#pending = [];
        this.#pendingBytes = 0;
      }
      start = end + 1;
      if (line.trim() !== '') {
        yield line;
      }
    }
    if (start < chunk.length) {
      this.#pending.push(start === 0 ? chunk : chunk.subarray(start));
      this.#pendingBytes += chunk.length - start;
      if (this.#pendingBytes > maxLineBytes) {
        throw new TransportError('MalformedAnswer', true, `a line of a watch is over ${maxLineBytes} bytes`);
      }
    }
  }

  /** True when the last line has no end. */
  get partial(): boolean {
    return this.#pendingBytes > 0;
  }
}

/** One line as an event. Throws ApiError for an ERROR line, TransportError MalformedAnswer for what is no event. */
export function parseWatchLine<T extends KubeObject>(line: string, question: Question): WatchEvent<T> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    // The parser's message quotes the text, which can be payload.
    throw new TransportError('MalformedAnswer', true, 'a line of a watch is not JSON');
  }
  if (!isEvent(parsed)) {
    throw new TransportError('MalformedAnswer', true, 'a line of a watch is not an event');
  }
  const { type, object } = parsed;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      if (isObject<T>(object)) {
        return { type, object };
      }
      break;
    case 'BOOKMARK':
      if (isObject(object) && object.metadata.resourceVersion !== undefined) {
        return { type, resourceVersion: object.metadata.resourceVersion };
      }
      break;
    case 'ERROR':
      throw watchRefusal(object, question);
    default:
  }
  throw new TransportError('MalformedAnswer', true, 'a line of a watch is of no known type');
}

function isEvent(value: unknown): value is { type: unknown; object: unknown } {
  return value !== null && typeof value === 'object' && 'type' in value && 'object' in value;
}

/** The caller of the watch names the type; a server sends what was asked for. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- only the caller knows the type that it asked the server for
function isObject<T extends KubeObject>(value: unknown): value is T {
  return (
    value !== null &&
    typeof value === 'object' &&
    'metadata' in value &&
    value.metadata !== null &&
    typeof value.metadata === 'object'
  );
}

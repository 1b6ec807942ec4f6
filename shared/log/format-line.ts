import type { LogFields, LogValue } from '../logger.ts';
import type { LogFormat, LogLevel } from './create-logger.ts';

export interface LogEntry {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Keys that every line has; a field of such a name is written with `_` behind it. */
const reserved = new Set(['ts', 'level', 'msg']);

/** One line without its line break. Whatever the values hold, it stays one line. */
export function formatLine(format: LogFormat, entry: LogEntry): string {
  return format === 'json' ? jsonLine(entry) : textLine(entry);
}

function jsonLine({ time, level, message, fields }: LogEntry): string {
  // The time is RFC 3339, in UTC with milliseconds.
  return JSON.stringify({
    ts: new Date(time).toISOString(),
    level,
    msg: message,
    ...Object.fromEntries(presentFields(fields)),
  });
}

/** `2026-11-05T10:00:00.000Z INFO  message  key=value key="with blanks"`. */
function textLine({ time, level, message, fields }: LogEntry): string {
  const head = `${new Date(time).toISOString()} ${level.toUpperCase().padEnd(5)} ${message}`;
  const tail = presentFields(fields).map(([key, value]) => `${key}=${textValue(value)}`);
  return tail.length === 0 ? head : `${head}  ${tail.join(' ')}`;
}

function presentFields(fields: LogFields): readonly (readonly [string, LogValue])[] {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [reserved.has(key) ? `${key}_` : key, jsonSafe(value)]);
}

/** JSON has no NaN and no infinity and would write null. */
function jsonSafe(value: LogValue): LogValue {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function textValue(value: LogValue): string {
  return typeof value === 'string' && /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

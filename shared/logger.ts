/** Values that may appear in a log line. Never the payload of a user's object. */
export type LogValue = string | number | boolean | undefined | readonly string[];
export type LogFields = Readonly<Record<string, LogValue>>;

/**
 * Structured log. The message is constant, whatever varies goes into fields, so that lines can be counted and searched.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

/** Discards everything. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
};

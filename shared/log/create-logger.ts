import { Writable } from 'node:stream';
import * as winston from 'winston';
import type { LogFields, Logger } from '../logger.ts';
import { formatLine } from './format-line.ts';

export interface LoggerOptions {
  /** The least serious level that is written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one complete line with its line break; usually the write of standard error. */
  readonly write: (line: string) => void;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** A logger on winston that writes one line per call, before the call returns. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, format, write, now } = options;
  const stream = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      write(line);
      done();
    },
  });
  const backend = winston.createLogger({
    levels: logLevels,
    level,
    format: winston.format.printf((info) => String(info.message)),
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  });
  return loggerWith(
    backend,
    (level, message, fields) => formatLine(format, { time: now(), level, message, fields }),
    {},
  );
}

type Formatter = (level: LogLevel, message: string, fields: LogFields) => string;

function loggerWith(backend: winston.Logger, line: Formatter, bound: LogFields): Logger {
  const log =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      if (backend.isLevelEnabled(level)) {
        // Formatted before winston sees it: winston would merge fields called `message` or `stack` into the message.
        backend.log(level, line(level, message, { ...bound, ...fields }));
      }
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: (fields) => loggerWith(backend, line, { ...bound, ...fields }),
  };
}

/** The levels of the log, from the gravest to the least serious; the number is winston's rank. */
export const logLevels = { error: 0, warn: 1, info: 2, debug: 3 } as const;

export type LogLevel = keyof typeof logLevels;
export type LogFormat = 'json' | 'text';

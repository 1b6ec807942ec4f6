import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogFormat, LogLevel } from '../../../../shared/log/create-logger.ts';
import { createLogger } from '../../../../shared/log/create-logger.ts';
import type { Logger } from '../../../../shared/logger.ts';

function recording(format: LogFormat, level: LogLevel = 'info'): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    format,
    write: (line) => lines.push(line),
    now: () => Date.UTC(2026, 10, 5, 10, 0, 0, 7),
  });
  return { logger, lines };
}

describe('a JSON log', () => {
  it('has time, level, message and fields, and is written before the call returns', () => {
    const { logger, lines } = recording('json');
    logger
      .with({ lane: 'a', kind: 'Secret' })
      .info('copied', { kind: 'ConfigMap', none: undefined, list: ['x'] });
    expect(lines).toEqual([
      '{"ts":"2026-11-05T10:00:00.007Z","level":"info","msg":"copied","lane":"a","kind":"ConfigMap","list":["x"]}\n',
    ]);
  });

  it('keeps fields that are called like its own keys or like keys of winston', () => {
    const { logger, lines } = recording('json');
    logger.warn('m', { level: 'l', ts: 1, msg: 'x', message: 'y', stack: 's', splat: 'z' });
    expect(JSON.parse(lines.join(''))).toEqual({
      ts: '2026-11-05T10:00:00.007Z',
      level: 'warn',
      msg: 'm',
      level_: 'l',
      ts_: 1,
      msg_: 'x',
      message: 'y',
      stack: 's',
      splat: 'z',
    });
  });

  it('writes numbers that JSON does not have as text', () => {
    const { logger, lines } = recording('json');
    logger.info('m', { ratio: Number.NaN });
    expect(JSON.parse(lines.join(''))).toMatchObject({ ratio: 'NaN' });
  });
});

describe('a text log', () => {
  it('is read from left to right', () => {
    const { logger, lines } = recording('text');
    logger.error('refused', {
      status: 409,
      reason: 'not ours',
      fields: ['data', 'a b'],
      name: 'kube-system/x',
    });
    expect(lines).toEqual([
      '2026-11-05T10:00:00.007Z ERROR refused  status=409 reason="not ours" fields=["data","a b"] name=kube-system/x\n',
    ]);
  });
});

describe('any log', () => {
  it.each<[LogLevel, string[]]>([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ])('of level %s has its level and what is graver', (level, expected) => {
    const { logger, lines } = recording('json', level);
    logger.debug('debug');
    logger.info('info');
    logger.warn('warn');
    logger.with({}).error('error');
    expect(lines.map((line) => /"msg":"(\w+)"/.exec(line)?.[1])).toEqual(expected);
  });

  it('has exactly one line for each call, whatever the fields hold', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<LogFormat>('json', 'text'),
        fc.dictionary(
          fc.string({ minLength: 1 }).map((key) => key.replace(/\s/g, '_')),
          fc.string({ unit: 'binary' }),
        ),
        (format, fields) => {
          const { logger, lines } = recording(format);
          logger.info('m', fields);
          expect(lines.join('').split('\n')).toHaveLength(2);
        },
      ),
    );
  });
});

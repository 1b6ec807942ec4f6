import { expect, test } from 'vitest';
import { ChangeLog } from '../../../../shared/log/change-log.ts';
import { silentLogger } from '../../../../shared/logger.ts';

test('a line that lasts is written once, and again after it was something else or well', () => {
  const lines: string[] = [];
  const log = new ChangeLog({
    ...silentLogger,
    warn: (message, fields) => lines.push(`warn ${message} ${String(fields?.['at'])}`),
    error: (message, fields) => lines.push(`error ${message} ${String(fields?.['at'])}`),
  });
  log.warn('slow', { at: 1 });
  log.warn('slow', { at: 1 });
  log.warn('slow', { at: 2 });
  log.error('down', { at: 2 });
  log.error('down', { at: 2 });
  log.clear();
  log.error('down', { at: 2 });
  expect(lines).toEqual(['warn slow 1', 'warn slow 2', 'error down 2', 'error down 2']);
});

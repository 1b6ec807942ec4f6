import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  LineSplitter,
  maxLineBytes,
  parseWatchLine,
} from '../../../../../shared/kube/connection/watch-stream.ts';
import { ApiError, TransportError } from '../../../../../shared/kube/errors.ts';
import { status } from '../local-server.ts';

const question = { plural: 'configmaps' };

test('any cutting of a stream into chunks gives the same lines', () => {
  const line = fc.string({ unit: 'binary' }).map((value) => JSON.stringify({ value }));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(40)), fc.boolean(), (lines, cuts, ended) => {
      const bytes = Buffer.from(lines.join('\n') + (ended ? '\n' : ''));
      const splitter = new LineSplitter();
      const seen: string[] = [];
      let start = 0;
      for (const length of [...cuts, bytes.length]) {
        seen.push(...splitter.push(bytes.subarray(start, start + length)));
        start += length;
      }
      expect(seen).toEqual(ended || lines.length === 0 ? lines : lines.slice(0, -1));
      expect(splitter.partial).toBe(!ended && lines.length > 0);
    }),
  );
});

test('a line of many megabytes in small chunks is put together once', () => {
  const splitter = new LineSplitter();
  const chunk = Buffer.alloc(16 * 1024, 'x');
  const chunks = 1024;
  for (let index = 0; index < chunks; index += 1) {
    expect([...splitter.push(chunk)]).toEqual([]);
  }
  const [line] = [...splitter.push(Buffer.from('\n'))];
  expect(line).toHaveLength(chunk.length * chunks);
});

test('a line without end is given up', () => {
  const splitter = new LineSplitter();
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  expect(() => {
    for (let bytes = 0; bytes <= maxLineBytes; bytes += chunk.length) {
      expect([...splitter.push(chunk)]).toEqual([]);
    }
  }).toThrow(TransportError);
});

describe('a line is an event', () => {
  test.each(['ADDED', 'MODIFIED', 'DELETED'])('%s carries its object', (type) => {
    const object = { metadata: { name: 'omni' }, data: { k: 'v' } };
    expect(parseWatchLine(JSON.stringify({ type, object }), question)).toEqual({ type, object });
  });

  test('BOOKMARK carries a version', () => {
    const line = JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '42' } } });
    expect(parseWatchLine(line, question)).toEqual({ type: 'BOOKMARK', resourceVersion: '42' });
  });

  test('ERROR is thrown', () => {
    const line = JSON.stringify({ type: 'ERROR', object: status(410, 'Expired') });
    expect(() => parseWatchLine(line, question)).toThrow(new ApiError(410, 'Gone'));
  });

  test.each([
    'CANARY',
    'null',
    '[]',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{"x":"CANARY"}}',
    '{"type":"BOOKMARK","object":{"metadata":{}}}',
    '{"type":"OTHER","object":{"metadata":{}}}',
  ])('%s is none, and is not repeated', (line) => {
    let thrown: unknown;
    try {
      parseWatchLine(line, question);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TransportError);
    expect(thrown).toMatchObject({ reason: 'MalformedAnswer' });
    expect(inspect(thrown)).not.toContain('CANARY');
  });
});

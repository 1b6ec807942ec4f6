import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isRecord } from '../../../shared/is-record.ts';
import { JsonProjection, type Wanted } from '../../../webhook/json-projection.ts';

const wanted: Wanted = { a: true, b: { a: true, c: { d: true } } };

function reduced(text: string, chunk = 1_000_000): string {
  let written = '';
  const projection = new JsonProjection(
    wanted,
    (bytes) => (written += Buffer.from(bytes).toString('latin1')),
  );
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunk) {
    projection.add(bytes.subarray(at, at + chunk));
  }
  return Buffer.from(written, 'latin1').toString('utf8');
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What is wanted of a parsed value. */
function pick(value: unknown, what: Wanted): unknown {
  return isRecord(value) && !Array.isArray(value)
    ? Object.fromEntries(
        Object.entries(value).flatMap(([key, member]) => {
          const inner = Object.hasOwn(what, key) ? what[key] : undefined;
          return inner === undefined ? [] : [[key, inner === true ? member : pick(member, inner)]];
        }),
      )
    : value;
}

it.each<[string, string]>([
  ['{}', '{}'],
  ['{"x":1}', '{}'],
  ['{"x":"}{,\\"a\\":1","a":2}', '{"a":2}'],
  [' { "x" : [ { "a" : 1 } , 2 ] , "b" : { "x" : "a" , "a" : [ 1 , {} ] } } ', '{"b":{"a":[ 1 , {} ] }}'],
  ['{"b":null,"a":"ä\\"ß"}', '{"b":null,"a":"ä\\"ß"}'],
  ['{"constructor":1,"a\\u0062":2,"\\u0061":3}', '{}'],
  ['[1,{"a":2}]', '[1,{"a":2}]'],
])('%s becomes %s', (text, result) => {
  expect(reduced(text)).toBe(result);
});

it.each(['', '{', '{"a":1', '{"a":1}}', '{"a":1}x', '{"a":1}{"b":{}}', '{"x":[}', '"x', '1,2', '{"a":}'])(
  '%j yields what does not parse, too',
  (text) => {
    expect(parses(reduced(text))).toBe(false);
  },
);

it('keeps the wanted members of any value, however the text is cut', () => {
  const key = fc.oneof(fc.constantFrom('a', 'b', 'c', 'd'), fc.string());
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(
      fc.dictionary(key, value),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(2),
      (object, chunk, indent) => {
        const text = JSON.stringify(object, undefined, indent);
        expect(JSON.parse(reduced(text, chunk))).toEqual(pick(JSON.parse(text), wanted));
      },
    ),
    { numRuns: 500 },
  );
});

it('yields what does not parse for every beginning of a text', () => {
  const text = JSON.stringify({ x: ['"', { a: '\\' }], a: 'x', b: { x: 1, c: { d: [{}], e: 2 } } });
  for (let length = 0; length < text.length; length++) {
    expect(parses(reduced(text.slice(0, length)))).toBe(false);
  }
});

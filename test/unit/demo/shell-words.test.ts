import { execFileSync } from 'node:child_process';
import { array, assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { shellWords } from '../../demo/shell-words.ts';

test('what needs no quotes has none', () => {
  const words = [
    'annotate',
    'configmap',
    '-n',
    'demo',
    'kubed.appscode.com/sync-contexts=context-1,context-2',
  ];
  expect(shellWords(words)).toBe(words.join(' '));
});

test('what a shell would take apart is quoted', () => {
  expect(shellWords(['-p', '{"a":"b c"}', "it's"])).toBe(`-p '{"a":"b c"}' 'it'\\''s'`);
});

test('a shell reads exactly the words that were given', () => {
  // A shell cannot be given NUL, and command substitution would drop trailing line breaks: hence the marks.
  const word = string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
  assert(
    property(array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const read = execFileSync('sh', ['-c', `printf '%s\\0' ${shellWords(words)}`], { encoding: 'utf8' });
      expect(read).toBe(words.map((each) => `${each}\0`).join(''));
    }),
    { numRuns: 30 },
  );
});

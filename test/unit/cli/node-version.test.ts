import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { nodeProblem, oldestNode } from '../../../cli/node-version.ts';
import { property, trustedJson } from '../../sandbox/json.ts';

test.each(['20.20.2', '22.18.9', '4.0.0'])('Node.js %s is refused as too old, in one sentence', (version) => {
  expect(nodeProblem(version)).toBe(
    `context-syncer cannot start: it needs Node.js 22.19 or newer, and this is Node.js ${version}.\n`,
  );
});

test.each(['22.19.0', '22.20.1', '24.0.0', '26.10.0'])('Node.js %s will do', (version) => {
  expect(nodeProblem(version)).toBeUndefined();
});

test('package.json says the same', async () => {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  expect(property(property(trustedJson(text), 'engines'), 'node')).toBe(`>=${oldestNode}`);
});

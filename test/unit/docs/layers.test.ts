import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { layers, rooms } from '../../../oxlint.config.ts';
import build from '../../../tsconfig.build.json' with { type: 'json' };

const root = fileURLToPath(new URL('../../..', import.meta.url));

test.each(Object.keys(layers))(
  'every file and folder of %s has one place in the layers that lint enforces',
  (folder) => {
    const named = layers[folder]?.flat().toSorted();
    expect(named).toEqual(readdirSync(join(root, folder)).toSorted());
  },
);

test('every top-level folder that is built has its imports limited by lint', () => {
  expect(Object.keys(rooms).toSorted()).toEqual(build.include.toSorted());
});

import { expect, test } from 'vitest';
import { reference } from '../../docs/reference.ts';

test('docs/reference.md is what `npm run docs` makes of the code', async () => {
  const { stored, current } = await reference();
  expect(stored).toBe(current);
});

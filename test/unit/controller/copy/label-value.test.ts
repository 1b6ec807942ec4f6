import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { toLabelValue } from '../../../../controller/copy/origin.ts';

/** What an API server accepts as a label value. */
const valid = /^(?=.{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
/** Names of ConfigMaps and Secrets. */
const names = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/);

it('is a valid label value for every name that an object can have', () => {
  fc.assert(
    fc.property(names, (name) => {
      expect(toLabelValue(name)).toMatch(valid);
    }),
  );
  for (const tricky of ['-', '.']) {
    expect(toLabelValue(`a${tricky.repeat(251)}a`)).toMatch(valid);
  }
});

it('is the name itself while it fits', () => {
  fc.assert(
    fc.property(names, (name) => {
      expect(toLabelValue(name) === name).toBe(name.length <= 63);
    }),
  );
  expect(toLabelValue('n'.repeat(63))).toBe('n'.repeat(63));
});

it('keeps long names apart that begin alike, and is the same for the same name', () => {
  fc.assert(
    fc.property(fc.uniqueArray(names, { minLength: 2, maxLength: 5 }), (tails) => {
      const long = tails.map((tail) => `${'n'.repeat(63)}${tail}`);
      expect(new Set(long.map(toLabelValue)).size).toBe(long.length);
      expect(long.map(toLabelValue)).toEqual(long.map(toLabelValue));
    }),
  );
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseContextList } from '../../../shared/sync-contexts.ts';

describe('the list of contexts', () => {
  it.each([
    ['c1', ['c1']],
    [' c1 ,\tc2\n', ['c1', 'c2']],
    ['arn:aws:eks:eu-west-1:1:cluster/x,gke_p_z_n', ['arn:aws:eks:eu-west-1:1:cluster/x', 'gke_p_z_n']],
    ['two words', ['two words']],
  ])('%j names %j', (value, names) => {
    expect(parseContextList(value)).toEqual({ names, repeated: [], hasEmptyName: false, isTooLong: false });
  });

  it.each(['', ',', ' , ,'])('%j names nothing, and not because of an empty entry among others', (value) => {
    expect(parseContextList(value)).toEqual({
      names: [],
      repeated: [],
      hasEmptyName: false,
      isTooLong: false,
    });
  });

  it('reports names that come twice, and empty entries among others', () => {
    expect(parseContextList('b,a,,b,a,b')).toEqual({
      names: ['b', 'a'],
      repeated: ['b', 'a'],
      hasEmptyName: true,
      isTooLong: false,
    });
  });

  it('is read up to 2000 entries', () => {
    const names = Array.from({ length: 2_000 }, (_, index) => `n${index}`);
    expect(parseContextList(names.join(','))).toMatchObject({ names, isTooLong: false });
    expect(parseContextList([...names, 'last'].join(','))).toMatchObject({ names, isTooLong: true });
  });

  it('names exactly the filled entries, each once, in the order in which they first come', () => {
    const entries = fc.array(fc.constantFrom('a', 'b', ' a', 'c d', '', ' '), { maxLength: 8 });
    fc.assert(
      fc.property(entries, (list) => {
        const { names, repeated, hasEmptyName } = parseContextList(list.join(','));
        const filled = list.map((entry) => entry.trim()).filter((entry) => entry !== '');
        expect(names).toEqual(filled.filter((name, index) => filled.indexOf(name) === index));
        expect([...repeated].sort()).toEqual(
          names.filter((name) => filled.filter((other) => other === name).length > 1).toSorted(),
        );
        expect(hasEmptyName).toBe(filled.length > 0 && filled.length < list.length);
      }),
    );
  });
});

import { expect, it } from 'vitest';
import { keysOf } from '../../../../shared/keys.ts';
import { isCopy } from '../../../../shared/rules/copy-mark.ts';

const keys = keysOf('kubed.appscode.com');

it.each<[what: string, uid: string | undefined, origin: string | undefined, expected: boolean]>([
  ['without the annotation', 'own', undefined, false],
  ["with another object's uid", 'own', '{"namespace":"demo","name":"omni","uid":"other"}', true],
  [
    'with its own uid, as Kubed marks sources',
    'own',
    '{"namespace":"demo","name":"omni","uid":"own"}',
    false,
  ],
  ['without a uid in the annotation', 'own', '{"namespace":"demo","name":"omni"}', true],
  ['that has no uid yet', undefined, '{"namespace":"demo","name":"omni"}', true],
  ['with an empty uid on both sides', '', '{"uid":""}', true],
  ['with an annotation that is no JSON', 'own', 'own', true],
  ['with an annotation that is no object', 'own', '"own"', true],
])('an object %s is a copy or not', (_what, uid, origin, expected) => {
  const annotations = origin === undefined ? {} : { [keys.origin]: origin };
  expect(isCopy({ uid, annotations }, keys)).toBe(expected);
});

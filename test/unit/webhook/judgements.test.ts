import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ContextPolicies } from '../../../shared/catalog/context-policies.ts';
import { Judgements } from '../../../webhook/judgements.ts';
import { aCatalog, aContext } from '../fakes/circumstances.ts';
import { catalog, circumstances, keys } from './fixtures.ts';

const { ownNamespace } = circumstances;
const policies = new ContextPolicies(
  [{ contexts: ['context-1'], sourceNamespaces: ['demo'], kinds: ['ConfigMap'] }],
  'allow',
);
const catalogs = [catalog, aCatalog(aContext('context-9')), { ...catalog, policies }];

const aSubject = fc.record({
  kind: fc.constantFrom('ConfigMap' as const, 'Secret' as const),
  namespace: fc.constantFrom('demo', 'other', 'kube-system', 'context-syncer'),
  isCopy: fc.boolean(),
  type: fc.constantFrom(undefined, 'Opaque', 'helm.sh/release.v1'),
});
const aList = fc.constantFrom(
  'context-1',
  'context-9',
  'context-1,context-9,,',
  'down,down',
  'x'.repeat(3_000),
);

test('a judgement that is remembered is the one that would be made now, whatever was asked before', () => {
  const judgements = new Judgements();
  fc.assert(
    fc.property(aSubject, aList, fc.constantFrom(...catalogs), (subject, value, inUse) => {
      const now = { keys, ownNamespace, catalog: inUse };
      expect(judgements.of(subject, value, now)).toEqual(new Judgements().of(subject, value, now));
    }),
    { numRuns: 1_000 },
  );
});

test('equal objects are judged once, until other ones have taken the room', () => {
  const judgements = new Judgements();
  const now = { keys, ownNamespace, catalog };
  const judged = (value: string) =>
    judgements.of({ kind: 'ConfigMap', namespace: 'demo', isCopy: false }, value, now);
  const first = judged('context-9');
  expect(judged('context-9')).toBe(first);
  for (let index = 0; index < 256; index++) judged(`other-${index}`);
  expect(judged('context-9')).not.toBe(first);
});

test('a long list is not remembered', () => {
  const judgements = new Judgements();
  const judged = () =>
    judgements.of({ kind: 'Secret', namespace: 'demo', isCopy: false }, 'x'.repeat(2_001), {
      keys,
      ownNamespace,
      catalog,
    });
  expect(judged()).not.toBe(judged());
});

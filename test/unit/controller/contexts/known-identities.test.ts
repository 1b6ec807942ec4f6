import { expect, test } from 'vitest';
import { withKnownIdentities } from '../../../../controller/contexts/known-identities.ts';
import type { Catalog, CatalogContext } from '../../../../shared/catalog/catalog.ts';
import { ContextPolicies } from '../../../../shared/catalog/context-policies.ts';

const known: CatalogContext = {
  name: 'a',
  namespace: 'ns',
  server: 'https://a.example',
  cluster: 'uid-of-a',
  identified: true,
  settling: false,
  isSource: true,
};
const unknown: CatalogContext = {
  ...known,
  cluster: 'url:https://a.example',
  identified: false,
  settling: true,
  isSource: false,
};

function catalog(...contexts: readonly CatalogContext[]): Catalog {
  return { contexts: new Map(contexts.map((context) => [context.name, context])) };
}

test('a cluster that has not said who it is keeps the identity of before', () => {
  expect(withKnownIdentities(catalog(unknown), catalog(known))).toEqual(
    catalog({ ...known, settling: true }),
  );
});

test('what the cluster itself says counts', () => {
  const anew = { ...known, cluster: 'uid-of-another', isSource: false };
  expect(withKnownIdentities(catalog(anew), catalog(known))).toEqual(catalog(anew));
});

test.for([
  ['another name', { name: 'b' }],
  ['another server', { server: 'https://b.example' }],
  ['another namespace', { namespace: undefined }],
] as const)('a context with %s has no identity of before', ([, change]) => {
  const changed = { ...unknown, ...change };
  expect(withKnownIdentities(catalog(changed), catalog(known))).toEqual(catalog(changed));
});

test('a new context of the same address is that cluster, too', () => {
  const beside = { ...unknown, name: 'b', namespace: undefined };
  expect(withKnownIdentities(catalog(unknown, beside), catalog(known)).contexts.get('b')).toMatchObject({
    cluster: known.cluster,
    isSource: true,
  });
});

test('where another context was reached at the same address, its word counts', () => {
  const reached = { ...known, name: 'b', cluster: 'uid-of-another', isSource: false };
  const joined = { ...unknown, cluster: reached.cluster };
  expect(withKnownIdentities(catalog(joined, reached), catalog(known))).toEqual(catalog(joined, reached));
});

test('an identity that was not known before either stays unknown', () => {
  const guess = { ...unknown, cluster: 'url:guess' };
  expect(withKnownIdentities(catalog(unknown), catalog(guess))).toEqual(catalog(unknown));
});

test('contexts of before that are gone stay gone', () => {
  expect(withKnownIdentities(catalog(), catalog(known))).toEqual(catalog());
});

test('what the catalog holds besides contexts is that of now', () => {
  const policies = new ContextPolicies([], 'deny');
  const installation = { annotationPrefix: 'example.com', namespace: 'own' };
  const now = { ...catalog(unknown), policies, installation };
  expect(withKnownIdentities(now, catalog(known))).toMatchObject({ policies, installation });
});

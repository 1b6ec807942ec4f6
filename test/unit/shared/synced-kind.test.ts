import { expect, it } from 'vitest';
import { syncedKind, syncedKinds } from '../../../shared/synced-kind.ts';

it('finds every kind by its name, and says what a Secret without a type is', () => {
  expect(syncedKinds.map(({ name }) => syncedKind(name))).toEqual(syncedKinds);
  expect(syncedKinds.map(({ name, resource, defaultType }) => [name, resource.plural, defaultType])).toEqual([
    ['ConfigMap', 'configmaps', undefined],
    ['Secret', 'secrets', 'Opaque'],
  ]);
});

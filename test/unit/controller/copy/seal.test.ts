import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { buildCopy } from '../../../../controller/copy/build-copy.ts';
import { recordOfMetadata } from '../../../../controller/copy/copy-record.ts';
import { formatOrigin } from '../../../../controller/copy/origin.ts';
import { isSealed, withSeal } from '../../../../controller/copy/seal.ts';
import { syncedKind } from '../../../../shared/synced-kind.ts';
import { cluster, keys, reading, stampKey } from '../arbitraries.ts';

const origin = {
  namespace: 'demo',
  name: 'omni',
  uid: 'uid-1',
  resourceVersion: '7',
  clusterUID: cluster.uid,
};

it('is recognised with its key, for its kind, and for not a letter that differs', () => {
  const text = withSeal(stampKey, 'Secret', formatOrigin({ ...origin, context: 'c", "seal":"x' }));
  expect(isSealed(stampKey, 'Secret', text)).toBe(true);
  expect(JSON.parse(text)).toMatchObject(origin);
  expect(isSealed(stampKey, 'ConfigMap', text)).toBe(false);
  expect(isSealed(Buffer.alloc(32, 9), 'Secret', text)).toBe(false);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('', 'x', '7', '"'), (at, put) => {
      const changed = `${text.slice(0, at)}${put}${text.slice(at + 1)}`;
      expect(isSealed(stampKey, 'Secret', changed)).toBe(changed === text);
    }),
  );
});

it('is absent on copies of earlier versions, and where a key is lost; these stay ours', () => {
  const plain = formatOrigin(origin);
  for (const text of [plain, withSeal(Buffer.alloc(32, 9), 'ConfigMap', plain)]) {
    const record = recordOfMetadata(
      'ConfigMap',
      { name: 'omni', annotations: { [keys.origin]: text } },
      reading,
    );
    expect(record).toMatchObject({ ownership: 'ours', sealed: false });
  }
});

it('is on every copy that is written, and says nothing for another place', () => {
  const target = { kind: 'ConfigMap', namespace: 'team', name: 'omni' } as const;
  const content = {
    data: { key: '1' },
    binaryData: undefined,
    type: undefined,
    immutable: false,
    labels: {},
    annotations: {},
  };
  const source = { ...origin, content, stamp: 'stamp' };
  const copy = buildCopy({
    kind: syncedKind('ConfigMap'),
    target,
    source,
    context: 'c1',
    keys,
    cluster,
    stampKey,
  });
  expect(recordOfMetadata('ConfigMap', copy.metadata, reading)).toMatchObject({
    ownership: 'ours',
    sealed: true,
  });
  const moved = { ...copy.metadata, namespace: 'elsewhere' };
  expect(recordOfMetadata('ConfigMap', moved, reading)).toMatchObject({
    ownership: 'foreign',
    sealed: false,
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Content, contentOfSource, contentStamp } from '../../../../controller/copy/content.ts';
import { isOwnKey } from '../../../../shared/keys.ts';
import { syncedKind } from '../../../../shared/synced-kind.ts';
import {
  keys,
  kindNames,
  maps,
  plainKeys,
  sourceObject,
  sourceStates,
  stampKey,
  stayingAnnotations,
  stayingLabels,
} from '../arbitraries.ts';

const contents: fc.Arbitrary<Content> = fc.record({
  data: fc.option(maps(plainKeys), { nil: undefined }),
  binaryData: fc.option(maps(plainKeys), { nil: undefined }),
  type: fc.constantFrom(undefined, 'Opaque', 'kubernetes.io/tls'),
  immutable: fc.boolean(),
  labels: maps(plainKeys),
  annotations: maps(plainKeys),
});

const mapFields = ['data', 'binaryData', 'labels', 'annotations'] as const;

function reversed<T>(map: Readonly<Record<string, T>> | undefined): Record<string, T> | undefined {
  return map === undefined ? undefined : Object.fromEntries(Object.entries(map).toReversed());
}

describe('what a source gives', () => {
  it('is its payload exactly, and none of the marks that belong to its own cluster', () => {
    fc.assert(
      fc.property(kindNames, sourceStates, (kind, state) => {
        const object = sourceObject(kind, state);
        const content = contentOfSource(syncedKind(kind), object, keys);
        expect(content.data).toBe(object.data);
        expect(content.binaryData).toBe(object.binaryData);
        const given = [...Object.keys(content.labels), ...Object.keys(content.annotations)];
        expect(given.filter((key) => isOwnKey(keys, key))).toEqual([]);
        expect(Object.keys(content.annotations).filter((key) => stayingAnnotations.includes(key))).toEqual(
          [],
        );
        expect(Object.keys(content.labels).filter((key) => stayingLabels.includes(key))).toEqual([]);
        for (const key of plainKeys) {
          expect(content.labels[key]).toBe(object.metadata.labels?.[key]);
          expect(content.annotations[key]).toBe(object.metadata.annotations?.[key]);
        }
      }),
    );
  });

  it('leaves out the mark of Helm, but not that of another manager', () => {
    const of = (manager: string): Content =>
      contentOfSource(
        syncedKind('ConfigMap'),
        { metadata: { name: 'omni', labels: { 'app.kubernetes.io/managed-by': manager } } },
        keys,
      );
    expect(of('Helm').labels).toEqual({});
    expect(of('our-team').labels).toEqual({ 'app.kubernetes.io/managed-by': 'our-team' });
  });

  it('says Opaque for a Secret without a type, and nothing for a ConfigMap', () => {
    const object = { metadata: { name: 'omni' } };
    expect(contentOfSource(syncedKind('Secret'), object, keys).type).toBe('Opaque');
    expect(contentOfSource(syncedKind('ConfigMap'), object, keys).type).toBeUndefined();
  });
});

describe('the stamp of a content', () => {
  it('does not depend on the order of keys, nor on an empty map being there', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const shuffled: Content = {
          ...content,
          data: reversed(content.data) ?? {},
          binaryData: reversed(content.binaryData) ?? {},
          labels: reversed(content.labels) ?? {},
          annotations: reversed(content.annotations) ?? {},
        };
        expect(contentStamp(stampKey, shuffled)).toBe(contentStamp(stampKey, content));
      }),
    );
  });

  it('changes with every single change of a map', () => {
    fc.assert(
      fc.property(
        contents,
        fc.constantFrom(...mapFields),
        fc.constantFrom(...plainKeys),
        fc.option(fc.string({ unit: 'binary', maxLength: 6 }), { nil: undefined }),
        (content, field, key, value) => {
          const { [key]: before, ...rest } = content[field] ?? {};
          fc.pre(before !== value);
          const changed = { ...content, [field]: value === undefined ? rest : { ...rest, [key]: value } };
          expect(contentStamp(stampKey, changed)).not.toBe(contentStamp(stampKey, content));
        },
      ),
    );
  });

  it('keeps apart contents that differ in any way', () => {
    fc.assert(
      fc.property(contents, contents, (left, right) => {
        const plain = (content: Content): unknown => ({
          ...content,
          data: content.data ?? {},
          binaryData: content.binaryData ?? {},
        });
        const equal = contentStamp(stampKey, left) === contentStamp(stampKey, right);
        expect(equal).toBe(fc.stringify(sorted(plain(left))) === fc.stringify(sorted(plain(right))));
      }),
    );
  });

  it('changes with type, immutability and key', () => {
    const content: Content = {
      data: { a: 'b' },
      binaryData: undefined,
      type: 'Opaque',
      immutable: false,
      labels: {},
      annotations: {},
    };
    const stamps = [
      contentStamp(stampKey, content),
      contentStamp(stampKey, { ...content, type: 'kubernetes.io/tls' }),
      contentStamp(stampKey, { ...content, immutable: true }),
      contentStamp(Buffer.from('another key'), content),
    ];
    expect(new Set(stamps).size).toBe(4);
  });

  it('sees text move between keys, values and maps', () => {
    const base: Content = {
      data: undefined,
      binaryData: undefined,
      type: undefined,
      immutable: false,
      labels: {},
      annotations: {},
    };
    const variants: readonly Content[] = [
      { ...base, data: { ab: 'c' } },
      { ...base, data: { a: 'bc' } },
      { ...base, data: { a: '', bc: '' } },
      { ...base, binaryData: { ab: 'c' } },
      { ...base, labels: { ab: 'c' } },
      { ...base, annotations: { ab: 'c' } },
    ];
    expect(new Set(variants.map((content) => contentStamp(stampKey, content))).size).toBe(variants.length);
  });

  it('counts a key named like a property of every object', () => {
    const withKey = (value: string): Record<string, string> =>
      Object.fromEntries([
        ['__proto__', value],
        ['constructor', '2'],
      ]);
    const data = withKey('1');
    const content = contentOfSource(syncedKind('ConfigMap'), { metadata: { name: 'omni' }, data }, keys);
    const other = { ...content, data: withKey('3') };
    expect(contentStamp(stampKey, content)).not.toBe(contentStamp(stampKey, other));
    expect(contentStamp(stampKey, content)).not.toBe(contentStamp(stampKey, { ...content, data: {} }));
  });
});

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.entries(value)
    .map(([key, inner]): readonly [string, unknown] => [key, sorted(inner)])
    .sort(([left], [right]) => (left < right ? -1 : 1));
}

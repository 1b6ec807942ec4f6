import { describe, expect, test } from 'vitest';
import type { ApiObject } from '../../chaos/api-object.ts';
import type { ChaosContext } from '../../chaos/contexts.ts';
import { History } from '../../chaos/history.ts';
import { unjustified } from '../../chaos/oracle/deletion.ts';
import { differenceOf } from '../../chaos/oracle/equal.ts';
import { listAnnotation, originAnnotation, originOf, ownerOf } from '../../chaos/oracle/marks.ts';
import { wishesOf } from '../../chaos/oracle/wishes.ts';
import type { Place } from '../../chaos/slots.ts';

const contexts: readonly ChaosContext[] = [
  { name: 'first', cluster: 1, way: 'proxy' },
  { name: 'fixed', cluster: 1, namespace: 'shared', way: 'proxy' },
  { name: 'second', cluster: 2, way: 'proxy' },
  { name: 'hub', cluster: 0, way: 'direct' },
  { name: 'gone', cluster: undefined, way: 'nowhere' },
];
const place: Place = { kind: 'ConfigMap', namespace: 'a', name: 'one' };

describe('wishes of a list', () => {
  test.each([
    ['first,second', true, ['first', 'second']],
    [' first , second ', true, ['first', 'second']],
    ['first,', false, ['first']],
    ['', false, []],
    ['first,unknown', false, ['first']],
    ['first,hub', false, ['first']],
    ['first,fixed', false, ['first', 'fixed']],
    ['gone,second', true, ['second']],
  ])('%j', (list, isValid, asked) => {
    const wishes = wishesOf({ namespace: 'a', list, isCopy: false }, contexts);
    expect([wishes.isValid, wishes.asks.map(({ context }) => context)]).toEqual([isValid, asked]);
  });

  test('two contexts of one cluster make no copy', () => {
    const { asks } = wishesOf({ namespace: 'a', list: 'first,fixed,second', isCopy: false }, contexts);
    expect(asks.map(({ context, creates }) => [context, creates])).toEqual([
      ['first', false],
      ['fixed', false],
      ['second', true],
    ]);
  });

  test('a context that policies keep from the namespace serves nothing, and makes the list invalid', () => {
    const closed = contexts.map((context) =>
      context.name === 'second' ? { ...context, deniedTo: 'a' } : context,
    );
    const wishes = (namespace: string): ReturnType<typeof wishesOf> =>
      wishesOf({ namespace, list: 'first,second', isCopy: false }, closed);
    expect([wishes('a').isValid, wishes('a').asks.map(({ context }) => context)]).toEqual([false, ['first']]);
    expect([wishes('b').isValid, wishes('b').asks.length]).toEqual([true, 2]);
  });

  test.each([
    ['kube-system', false],
    ['context-syncer', false],
    ['a', true],
  ])('a source in %s, a copy: %s', (namespace, isCopy) => {
    expect(wishesOf({ namespace, list: 'first', isCopy }, contexts).asks).toEqual([]);
  });
});

describe('whose an object is', () => {
  const origin = {
    namespace: 'a',
    name: 'one',
    uid: 'u',
    clusterUID: 'source',
    copy: { namespace: 'a', name: 'one' },
  };
  test.each([
    ['ours', origin, 'ours'],
    ['without a place', { ...origin, copy: undefined }, 'ours'],
    ['a clone', { ...origin, copy: { namespace: 'b', name: 'one' } }, 'foreign'],
    ['of another name', { ...origin, name: 'two' }, 'foreign'],
    ['of another cluster', { ...origin, clusterUID: 'other' }, 'foreign'],
    ['of the cluster before', { ...origin, clusterUID: 'before' }, 'to-be-taken-over'],
    ['garbage', [], 'foreign'],
    ['a prototype key', JSON.parse('{"__proto__":{"namespace":"a","name":"one"}}'), 'foreign'],
  ])('%s', (_what, mark, owner) => {
    expect(ownerOf(object({ [originAnnotation]: JSON.stringify(mark) }), 'source', 'before')).toBe(owner);
  });

  test('text that is no JSON names no source', () => {
    expect(originOf(object({ [originAnnotation]: '{' }))).toBeUndefined();
  });
});

describe('whether a copy could be taken from its source', () => {
  const copy = object({
    [originAnnotation]: JSON.stringify({
      namespace: 'a',
      name: 'one',
      uid: 'uid',
      resourceVersion: '10',
      clusterUID: 'source',
      copy: { namespace: 'a', name: 'one' },
      context: 'first',
    }),
  });
  const taken = { cluster: 1, place, copy, at: 1_000, releases: [] };

  test('not while it asked for it all the time', () => {
    expect(unjustified(taken, historyOf(['first', 100], ['first,second', 200]))).toContain('all the time');
  });

  test('when it was deleted, or lost its annotation, or its list, before', () => {
    for (const later of [null, undefined, 'second']) {
      expect(unjustified(taken, historyOf(['first', 100], [later, 200]))).toBeUndefined();
    }
  });

  test('also when it asks again since', () => {
    expect(unjustified(taken, historyOf(['first', 100], [null, 200], ['first', 300]))).toBeUndefined();
  });

  test('not for what came after the deletion', () => {
    expect(unjustified(taken, historyOf(['first', 100], [null, 2_000]))).toContain('all the time');
  });

  test('not for a list that is invalid', () => {
    for (const list of ['', 'second,', 'unknown', 'hub', 'second,hub']) {
      expect(unjustified(taken, historyOf(['first', 100], [list, 200]))).toContain('all the time');
    }
  });

  test('of a source that a restore lost: when an operator released it', () => {
    const history = historyOf(['first', 100]);
    history.record('ConfigMap/a/one', 200, undefined, 'restore');
    expect(unjustified(taken, history)).toContain('lost by a restore');
    expect(unjustified({ ...taken, releases: [150] }, history)).toContain('lost by a restore');
    expect(unjustified({ ...taken, releases: [500] }, history)).toBeUndefined();
  });
});

describe('equality of copies', () => {
  test('is about what travels', () => {
    const source = { ...object({ x: '1', [listAnnotation]: 'first' }), data: { a: '1', b: '2' } };
    const same = { ...object({ 'others.example/x': 'y', x: '1' }), data: { b: '2', a: '1' } };
    expect(differenceOf(source, same)).toBeUndefined();
    expect(differenceOf(source, { ...same, data: { a: '1' } })).toBe('data');
    expect(differenceOf(source, { ...same, immutable: true })).toBe('immutable');
    expect(differenceOf(source, { ...same, type: 'Opaque' })).toBe('type');
    expect(differenceOf(source, object({}))).toBe('data');
    expect(differenceOf(source, { ...same, ...object({ x: '2' }) })).toBe('annotations');
  });
});

function object(annotations: Readonly<Record<string, string>>): ApiObject {
  return { metadata: { name: 'one', namespace: 'a', uid: 'uid', resourceVersion: '10', annotations } };
}

/** States of the source: a list, undefined without an annotation, null where it is deleted; and since when. */
function historyOf(...states: readonly (readonly [string | null | undefined, number])[]): History {
  const history = new History();
  history.recordContexts(contexts);
  for (const [list, since] of states) {
    const annotations = typeof list === 'string' ? { [listAnnotation]: list } : {};
    history.record('ConfigMap/a/one', since, list === null ? undefined : object(annotations));
  }
  return history;
}

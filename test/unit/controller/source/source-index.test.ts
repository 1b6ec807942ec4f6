import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceIndex } from '../../../../controller/source/source-index.ts';
import { type SourceRecord, sourceKey } from '../../../../controller/source/source-record.ts';
import type { KubeObject } from '../../../../shared/kube/object.ts';
import { aSource, keys } from '../arbitraries.ts';

function object(name: string, version: number, list: string | undefined, uid = `uid-${name}`): KubeObject {
  const annotations = list === undefined ? {} : { [keys.syncContexts]: list };
  return { metadata: { namespace: 'demo', name, uid, resourceVersion: String(version), annotations } };
}

/** An index, and what it told. */
class Told {
  readonly mirror = new Map<string, SourceRecord>();
  changes = 0;
  wentBack = 0;
  readonly index = new SourceIndex({
    keys,
    onChange: (key, record) => {
      this.changes += 1;
      if (record === undefined) {
        this.mirror.delete(key);
      } else {
        this.mirror.set(key, record);
      }
    },
    onWentBack: () => {
      this.wentBack += 1;
    },
  });

  list(version: number, ...objects: readonly KubeObject[]): void {
    const records = objects.flatMap((listed) => this.index.project('ConfigMap', listed) ?? []);
    this.index.replace('ConfigMap', records, String(version));
  }
}

const key = 'ConfigMap/demo/a';

describe('the source index', () => {
  it('reports every source and nothing else, whatever was listed and watched', () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      list: fc.constantFrom(undefined, '', 'c1', 'c1,c2'),
      gone: fc.boolean(),
      relist: fc.boolean(),
      missed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (script) => {
        const told = new Told();
        const cluster = new Map<string, KubeObject>();
        told.list(1);
        let version = 1;
        for (const { name, list, gone, relist, missed } of script) {
          version += 1;
          const changed = object(name, version, list);
          if (gone) {
            cluster.delete(name);
          } else {
            cluster.set(name, changed);
          }
          if (relist || missed) {
            told.list(version, ...cluster.values());
          } else {
            told.index.observe('ConfigMap', { type: gone ? 'DELETED' : 'MODIFIED', object: changed });
          }
          const sources = [...cluster.values()].flatMap(
            (stored) => told.index.project('ConfigMap', stored) ?? [],
          );
          expect(new Map(sources.map((source) => [sourceKey(source), source]))).toEqual(told.mirror);
          expect(told.index.size).toBe(sources.length);
        }
        expect([told.wentBack, told.index.versionsTrusted]).toEqual([0, true]);
      }),
    );
  });

  it('says nothing of what is as it was', () => {
    const told = new Told();
    told.list(5, object('a', 3, 'c1'));
    told.list(6, object('a', 3, 'c1'));
    told.index.observe('ConfigMap', { type: 'ADDED', object: object('a', 3, 'c1') });
    told.index.observe('ConfigMap', { type: 'MODIFIED', object: object('other', 7, undefined) });
    expect(told.changes).toBe(1);
  });

  it('is listed when every kind was', () => {
    const told = new Told();
    expect(told.index.isListed(['ConfigMap'])).toBe(false);
    told.list(5);
    expect([told.index.isListed(['ConfigMap']), told.index.isListed(['ConfigMap', 'Secret'])]).toEqual([
      true,
      false,
    ]);
  });
});

describe('what was done before our eyes', () => {
  it.each([
    ['a deletion', { type: 'DELETED', object: object('a', 9, 'c1') }],
    ['the end of the annotation', { type: 'MODIFIED', object: object('a', 9, undefined) }],
    ['another list', { type: 'MODIFIED', object: object('a', 9, 'c2') }],
  ] as const)('is %s that a watch showed', (_what, event) => {
    const told = new Told();
    told.list(5, object('a', 3, 'c1'));
    told.index.observe('ConfigMap', event);
    expect(told.index.wasWitnessed(key)).toBe(true);
    expect(told.index.wasWitnessed('ConfigMap/demo/b')).toBe(false);
  });

  it('is neither a change of content nor a gap between two lists', () => {
    const told = new Told();
    told.list(5, object('a', 3, 'c1'), object('b', 3, 'c1'));
    told.index.observe('ConfigMap', { type: 'MODIFIED', object: object('b', 6, 'c1') });
    told.list(9, object('b', 6, 'c1'));
    expect([told.index.wasWitnessed(key), told.index.wasWitnessed('ConfigMap/demo/b')]).toEqual([
      false,
      false,
    ]);
  });

  it('does not excuse what a later list lacks', () => {
    const told = new Told();
    told.list(5, object('a', 3, 'c1'), object('b', 3, 'c1'));
    told.index.observe('ConfigMap', { type: 'MODIFIED', object: object('a', 6, 'c2') });
    told.index.observe('ConfigMap', { type: 'MODIFIED', object: object('b', 7, 'c2') });
    told.list(9, object('b', 8, 'c3'));
    expect([told.index.wasWitnessed(key), told.index.wasWitnessed('ConfigMap/demo/b')]).toEqual([
      false,
      false,
    ]);
  });

  it('no longer counts when the source cluster went back: it happened in a history that is gone', () => {
    const told = new Told();
    told.list(5, object('a', 3, 'c1'));
    told.index.observe('ConfigMap', { type: 'MODIFIED', object: object('a', 6, 'c2') });
    told.index.distrustVersions();
    expect(told.index.wasWitnessed(key)).toBe(false);
  });

  it('still counts after a list that knows of it', () => {
    const told = new Told();
    told.list(5, object('a', 3, 'c1'), object('b', 3, 'c1'));
    told.index.observe('ConfigMap', { type: 'DELETED', object: object('a', 6, 'c1') });
    told.index.observe('ConfigMap', { type: 'MODIFIED', object: object('b', 7, 'c2') });
    told.list(9, object('b', 7, 'c2'));
    expect([told.index.wasWitnessed(key), told.index.wasWitnessed('ConfigMap/demo/b')]).toEqual([true, true]);
  });
});

describe('a source cluster that went back in time', () => {
  it('is noticed by a process that knows its versions from before, before anything counts as gone', () => {
    const versions = new Map([['ConfigMap' as const, 500]]);
    const order: string[] = [];
    const index = new SourceIndex({
      keys,
      versions,
      onChange: (_key, record) => order.push(record === undefined ? 'gone' : 'changed'),
      onWentBack: () => order.push('went back'),
    });
    index.replace('ConfigMap', [aSource()], '499');
    index.replace('ConfigMap', [], '400');
    expect(order).toEqual(['went back', 'changed', 'went back', 'gone']);
  });

  it('is noticed by a list of a lower version, each time, and its states are taken though their versions are known', () => {
    const told = new Told();
    told.list(500, object('a', 50, 'c1'));
    told.list(60, object('a', 50, 'c2'));
    expect([told.wentBack, told.index.versionsTrusted]).toEqual([1, false]);
    expect(told.mirror.get(key)?.syncContexts).toBe('c2');
    told.list(61);
    expect(told.wentBack).toBe(1);
    told.list(40);
    expect(told.wentBack).toBe(2);
  });

  it('is noticed by a copy that records a version which was never seen', () => {
    const told = new Told();
    expect(told.index.isBehind('900')).toBe(false);
    told.list(500);
    expect(['500', '', '501'].map((version) => told.index.isBehind(version))).toEqual([false, false, true]);
  });

  it('is not suspected where a read overtook the list that was under way', () => {
    const told = new Told();
    told.list(100);
    told.index.noteReadVersion('140');
    told.list(130);
    expect([told.wentBack, told.index.isBehind('140'), told.index.isBehind('141')]).toEqual([0, false, true]);
  });

  it('is noticed by one source whose version went back, though the cluster got past the versions that were seen', () => {
    const told = new Told();
    told.list(100, object('a', 90, 'c1'), object('b', 40, 'c1'));
    told.list(900, object('b', 40, 'c1'));
    expect(told.wentBack).toBe(0);
    told.list(950, object('b', 39, 'c1'));
    expect(told.wentBack).toBe(1);
  });

  it('is not suspected where the lists of two kinds end in another order than they began', () => {
    const told = new Told();
    told.list(105, object('a', 3, 'c1'));
    told.index.observe('ConfigMap', { type: 'MODIFIED', object: object('a', 130, 'c1') });
    told.index.replace('Secret', [aSource({ kind: 'Secret' })], '100');
    expect([told.wentBack, told.index.versionsTrusted]).toEqual([0, true]);
    expect(told.index.isBehind('130')).toBe(false);
  });
});

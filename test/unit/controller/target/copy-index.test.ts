// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the case that was generated
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentOfCopy, contentStamp } from '../../../../controller/copy/content.ts';
import { CopyIndex } from '../../../../controller/target/copy-index.ts';
import { syncedKind } from '../../../../shared/synced-kind.ts';
import { reading, stampKey } from '../arbitraries.ts';
import { aCopy, TargetWorld } from './copy-index-world.ts';

const places = fc.record({
  namespace: fc.constantFrom('demo', 'team'),
  name: fc.constantFrom('a', 'b'),
});

const steps = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(places, fc.constantFrom('1', '2'))
      .map(([place, value]) => ({ do: 'write', value, ...place }) as const),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(places, fc.constantFrom('look', 'remove', 'drop', 'edit', 'strip', 'foreign'))
      .map(([place, action]) => ({ do: action, ...place }) as const),
  },
  { weight: 6, arbitrary: fc.constant({ do: 'event' } as const) },
  { weight: 6, arbitrary: fc.nat(5).map((which) => ({ do: 'answer', which }) as const) },
  { weight: 2, arbitrary: fc.constantFrom({ do: 'beginList' } as const, { do: 'endList' } as const) },
);

function versionIn(index: CopyIndex, namespace: string, name: string): number {
  const observed = index.observed({ kind: 'ConfigMap', namespace, name });
  return typeof observed === 'string' ? 0 : Number(observed.resourceVersion);
}

/** Delivers the next event, and checks that it takes away nothing that was known better. */
function deliver(world: TargetWorld, index: CopyIndex): void {
  const event = world.nextEvent();
  const { namespace, name, resourceVersion } = event?.object.metadata ?? {};
  if (event === undefined || namespace === undefined || name === undefined) {
    return;
  }
  const target = { kind: 'ConfigMap', namespace, name } as const;
  const before = versionIn(index, namespace, name);
  const work = index.observe('ConfigMap', event);
  if (before >= Number(resourceVersion)) {
    expect(work).toBeUndefined();
    expect(versionIn(index, namespace, name)).toBe(before);
  } else {
    expect(work).toEqual(target);
  }
}

function checkAgainst(world: TargetWorld, index: CopyIndex, afterList: boolean): void {
  for (const namespace of ['demo', 'team']) {
    for (const name of ['a', 'b']) {
      const observed = index.observed({ kind: 'ConfigMap', namespace, name });
      const truth = world.truth(namespace, name);
      const copy = truth === undefined ? undefined : index.project('ConfigMap', truth);
      if (copy !== undefined && truth !== undefined && world.isSelected(namespace, name)) {
        const { uid, resourceVersion, labelled } = copy.record;
        expect(observed).toMatchObject({ uid, resourceVersion, labelled });
        const stamp = contentStamp(stampKey, contentOfCopy(syncedKind('ConfigMap'), truth, {}));
        expect([undefined, stamp]).toContain(typeof observed === 'string' ? '' : observed.stamp);
      } else if (afterList) {
        expect(observed).toBe('absent');
      } else {
        // An object without our label is seen by no watch: what a read told of it stands until the next list.
        expect(typeof observed === 'string' ? observed : observed.labelled).toSatisfy(
          (seen) => seen === 'absent' || seen === false,
        );
      }
    }
  }
  const bySource = ['a', 'b'].flatMap((name) => index.targetsOf(`ConfigMap/demo/${name}`));
  const keyed = (targets: Iterable<{ namespace: string; name: string }>): readonly string[] =>
    [...targets].map(({ namespace, name }) => `${namespace}/${name}`).sort();
  expect(keyed(bySource)).toEqual(keyed([...index.copies('ConfigMap')].map(({ target }) => target)));
}

it('knows the truth in the end, however lists, events and the answers to our own requests overtake each other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 40 }), fc.array(fc.nat(10)), async (script, order) => {
      const index = new CopyIndex(reading);
      const world = new TargetWorld(index);
      world.beginList();
      world.endList();
      for (const step of script) {
        switch (step.do) {
          case 'write':
            world.write(step.namespace, step.name, step.value);
            break;
          case 'look':
          case 'remove':
          case 'drop':
            world[step.do](step.namespace, step.name);
            break;
          case 'edit':
          case 'strip':
          case 'foreign':
            world.meddle(step.namespace, step.name, step.do);
            break;
          case 'event':
            deliver(world, index);
            break;
          case 'answer':
            await world.answer(step.which);
            break;
          case 'beginList':
          case 'endList':
            world[step.do]();
            break;
        }
      }
      world.endList();
      let turn = 0;
      while (world.pending > 0) {
        const next = order[turn] ?? turn;
        turn += 1;
        if (next % 2 === 0) {
          deliver(world, index);
        } else {
          await world.answer(next);
        }
      }
      checkAgainst(world, index, false);
      world.beginList();
      world.endList();
      checkAgainst(world, index, true);
      expect(world.pending).toBe(0);
    }),
    { numRuns: 1_000 },
  );
});

describe('the copy index', () => {
  const target = { kind: 'ConfigMap', namespace: 'demo', name: 'a' } as const;
  const stored = (version: string, value = '1', uid = 'uid-copy'): ReturnType<typeof aCopy> => {
    const copy = aCopy('demo', 'a', value);
    return { ...copy, metadata: { ...copy.metadata, uid, resourceVersion: version } };
  };
  const listed = (...objects: readonly ReturnType<typeof aCopy>[]): CopyIndex => {
    const index = new CopyIndex(reading);
    const items = objects.flatMap((object) => index.project('ConfigMap', object) ?? []);
    index.replace('ConfigMap', undefined, items, '10');
    for (const object of objects) {
      index.learn(target, object);
    }
    return index;
  };

  it('knows nothing before a list was finished, and then what exists in every namespace', () => {
    const index = new CopyIndex(reading);
    expect(index.observed(target)).toBe('unlisted');
    index.replace('ConfigMap', 'demo', [], '10');
    expect(index.observed(target)).toBe('absent');
    expect(index.observed({ ...target, namespace: 'team' })).toBe('unlisted');
    expect(index.observed({ ...target, kind: 'Secret' })).toBe('unlisted');
    index.replace('ConfigMap', undefined, [], '11');
    expect(index.observed({ ...target, namespace: 'team' })).toBe('absent');
  });

  it('forgets what it knew of a scope that is no longer watched: unknown is not absent', () => {
    const index = listed(stored('9'));
    index.uncover('ConfigMap', undefined);
    expect([index.observed(target), index.size]).toEqual(['unlisted', 0]);
  });

  it('asks for no work at the echo of its own write, and for work at the next event', () => {
    const index = listed();
    index.learn(target, stored('11'));
    expect(index.observe('ConfigMap', { type: 'ADDED', object: stored('11') })).toBeUndefined();
    expect(index.observe('ConfigMap', { type: 'MODIFIED', object: stored('12') })).toEqual(target);
    expect(index.observed(target)).toMatchObject({ resourceVersion: '12', stamp: undefined });
  });

  it('is not set back by an answer that an event has overtaken', async () => {
    const index = listed(stored('9'));
    const answered = (
      object: ReturnType<typeof aCopy> | undefined,
      event: 'ADDED' | 'MODIFIED' | 'DELETED',
      seen: ReturnType<typeof aCopy>,
    ): Promise<unknown> =>
      index.during(target, () => {
        index.observe('ConfigMap', { type: event, object: seen });
        return Promise.resolve(object);
      });
    await answered(stored('11'), 'MODIFIED', stored('12'));
    expect(index.observed(target)).toMatchObject({ resourceVersion: '12' });
    await answered(stored('12'), 'DELETED', stored('13'));
    expect(index.observed(target)).toBe('absent');
    await answered(undefined, 'ADDED', stored('15', '1', 'uid-next'));
    expect(index.observed(target)).toMatchObject({ uid: 'uid-next' });
  });

  it('takes the answer to a request that was sent after all events: a copy that finalizers hold is still there', async () => {
    const index = listed(stored('9'));
    const { metadata } = stored('12');
    const held = { ...stored('12'), metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    index.observe('ConfigMap', { type: 'MODIFIED', object: held });
    index.forget(target, 'uid-copy');
    await index.during(target, () => Promise.resolve(held));
    expect(index.observed(target)).toMatchObject({ terminating: true, resourceVersion: '12' });
  });

  it('remembers which version of the source a copy was found equal to, until the copy changes', () => {
    const index = listed(stored('9'));
    const known = index.observed(target);
    if (typeof known === 'string') {
      throw new Error('the copy is not known');
    }
    index.noteInSync(target, known, '77');
    expect(index.observed(target)).toMatchObject({ inSyncWith: '77' });
    index.observe('ConfigMap', { type: 'MODIFIED', object: stored('12') });
    index.noteInSync(target, known, '78');
    expect(index.observed(target)).toMatchObject({ inSyncWith: undefined });
  });

  it('verifies listed copies in the background, and names those that are not what they were given', () => {
    const index = new CopyIndex(reading);
    const edited = { ...stored('9'), data: { key: 'edited' } };
    const items = [index.project('ConfigMap', stored('9'), true)].flatMap((item) => item ?? []);
    index.replace('ConfigMap', undefined, items, '10');
    expect(index.observed(target)).toMatchObject({ unverified: true, stamp: undefined });
    expect(index.verify('ConfigMap', stored('8'))).toBeUndefined();
    expect(index.observed(target)).toMatchObject({ unverified: true });
    expect(index.verify('ConfigMap', edited)).toEqual(target);
    expect(index.observed(target)).toMatchObject({ unverified: false });
    expect(index.verify('ConfigMap', edited)).toBeUndefined();
    index.replace('ConfigMap', undefined, items, '11');
    expect(index.observed(target)).not.toMatchObject({ stamp: undefined });
  });

  it('hands over what could not be verified in the background, to be read one by one', () => {
    const index = new CopyIndex(reading);
    const items = [index.project('ConfigMap', stored('9'), true)].flatMap((item) => item ?? []);
    index.replace('ConfigMap', undefined, items, '10');
    expect(index.unverified('Secret', undefined)).toEqual([]);
    expect(index.unverified('ConfigMap', 'demo')).toEqual([target]);
    expect(index.observed(target)).toMatchObject({ unverified: false });
  });

  it('believes a list of an older version: its cluster may have been restored', () => {
    const index = listed();
    index.learn(target, stored('500'));
    const [older] = [index.project('ConfigMap', stored('7'))].flatMap((item) => item ?? []);
    expect(index.replace('ConfigMap', undefined, older === undefined ? [] : [older], '8')).toEqual([target]);
    expect(index.observed(target)).toMatchObject({ resourceVersion: '7' });
    index.learn(target, stored('9', '2'));
    expect(index.observed(target)).toMatchObject({ resourceVersion: '9' });
  });

  it('keeps answers that came while a list was under way and are newer than the list', async () => {
    const index = listed(stored('9'));
    const [old] = [index.project('ConfigMap', stored('9'))].flatMap((item) => item ?? []);
    const items = old === undefined ? [] : [old];
    let begun = index.answers;
    await index.during(target, () => Promise.resolve(stored('12', '2')));
    expect(index.replace('ConfigMap', undefined, items, '11', begun)).toEqual([]);
    expect(index.observed(target)).toMatchObject({ resourceVersion: '12' });
    begun = index.answers;
    await index.during(target, () => Promise.resolve(stored('14', '1', 'uid-next')));
    expect(index.replace('ConfigMap', undefined, [], '13', begun)).toEqual([]);
    expect(index.observed(target)).toMatchObject({ resourceVersion: '14' });
    // What was answered before the list began is older than the list, unless the cluster was restored.
    expect(index.replace('ConfigMap', undefined, [], '13', index.answers)).toEqual([target]);
    expect(index.observed(target)).toBe('absent');
  });

  it('names what changed between two lists, and keeps what it read of the rest', () => {
    const index = listed(stored('9'));
    const again = index.project('ConfigMap', stored('9'));
    expect(index.replace('ConfigMap', undefined, again === undefined ? [] : [again], '20')).toEqual([]);
    expect(index.observed(target)).not.toMatchObject({ stamp: undefined });
    expect(index.replace('ConfigMap', undefined, [], '21')).toEqual([target]);
  });

  it('keeps nothing of an object that is not ours', () => {
    const index = listed();
    const { metadata } = stored('11');
    const foreign = { ...stored('11'), metadata: { ...metadata, annotations: {} } };
    expect(index.learn(target, foreign).ownership).toBe('foreign');
    expect([index.observed(target), index.size]).toEqual(['absent', 0]);
  });
});

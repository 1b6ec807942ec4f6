import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LearntClusters } from '../../../../controller/contexts/learnt-clusters.ts';

const lessons = fc.array(
  fc.tuple(fc.constantFrom('u1', 'u2', 'u3'), fc.constantFrom('k1', 'k2', 'namespace:u1', 'namespace:u2')),
  { maxLength: 8 },
);

function learnt(lesson: readonly (readonly [string, string])[]): LearntClusters {
  const clusters = new LearntClusters(() => undefined);
  for (const [uid, cluster] of lesson) {
    clusters.learn(uid, cluster);
  }
  return clusters;
}

describe('what processes learnt of clusters', () => {
  it('is the same for all of them once they have read it of each other, in whatever order', () => {
    fc.assert(
      fc.property(lessons, lessons, (left, right) => {
        const [a, b] = [learnt(left), learnt(right)];
        a.take(b.entries);
        b.take(learnt(left).entries);
        expect(JSON.stringify(a.entries)).toBe(JSON.stringify(b.entries));
      }),
    );
  });

  it('prefers the uid of kube-system', () => {
    const clusters = learnt([
      ['u1', 'namespace:a'],
      ['u1', 'uid'],
    ]);
    clusters.take({ u1: 'namespace:0', u2: 7 });
    expect(clusters.entries).toEqual({ u1: 'uid' });
  });

  it('reports only what is new', () => {
    const told: string[] = [];
    const clusters = new LearntClusters(() => told.push('learnt'));
    clusters.onTaken(() => told.push('taken'));
    clusters.learn('u1', 'k1');
    clusters.learn('u1', 'k1');
    clusters.take({ u1: 'k1' });
    expect(told).toEqual(['learnt']);
    clusters.take({ u2: 'k1' });
    expect(told).toEqual(['learnt', 'taken']);
  });

  it('is bounded, with the same namespaces in all of them', () => {
    const many = Array.from({ length: 2_000 }, (_, index) => [`u${index}`, 'k1'] as const);
    const [a, b] = [learnt(many.slice(0, 1_500)), learnt(many.toReversed())];
    a.take(b.entries);
    b.take(a.entries);
    expect(Object.keys(a.entries)).toHaveLength(1_000);
    expect(JSON.stringify(a.entries)).toBe(JSON.stringify(b.entries));
    const written = JSON.stringify(learnt([...many, ...many]).entries);
    expect(written).toBe(JSON.stringify(a.entries));
  });

  it('learns nothing from what is nothing of that kind', () => {
    const damaged = learnt([]);
    for (const text of [null, [], 'u1', 1]) {
      damaged.take(text);
    }
    expect(damaged.entries).toEqual({});
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NearestNames, nearestName } from '../../../shared/nearest-name.ts';

const flags = ['--cluster-name', '--kubeconfig', '--contexts-kubeconfig', '--log-level', '--log-format'];

describe('nearestName', () => {
  it.each<[string, string | undefined]>([
    ['--clustername', '--cluster-name'],
    ['--ClusterName', '--cluster-name'],
    ['--cluter-name', '--cluster-name'],
    ['--kubecofnig', '--kubeconfig'],
    ['--log-leve', '--log-level'],
    ['--log-fromat', '--log-format'],
    ['--context-kubeconfig', '--contexts-kubeconfig'],
    ['--replicas', undefined],
    ['-x', undefined],
  ])('%s means %s', (name, nearest) => {
    expect(nearestName(name, flags)).toBe(nearest);
  });

  it('finds a long name again after any one letter was lost or two neighbours swapped', () => {
    fc.assert(
      fc.property(fc.constantFrom(...flags), fc.nat(), fc.boolean(), (flag, at, swap) => {
        const index = 2 + (at % (flag.length - 3));
        const pair = flag.slice(index, index + 2);
        const changed = swap ? pair.split('').toReversed().join('') : pair.slice(1);
        expect(nearestName(flag.slice(0, index) + changed + flag.slice(index + 2), flags)).toBe(flag);
      }),
    );
  });
});

describe('NearestNames', () => {
  const contexts = Array.from(
    { length: 300 },
    (_, index) => `arn:aws:eks:eu-west-1:123456789012:cluster/prod-${index}`,
  );

  it('finds the nearest for each of several names', () => {
    const nearest = new NearestNames(contexts);
    expect(nearest.of('arn:aws:eks:eu-west-1:123456789012:cluster/prod-77x')).toBe(contexts[77]);
    expect(nearest.of('arn:aws:eks:eu-west-1:123456789012:clutser/prod-123')).toBe(contexts[123]);
    expect(nearest.of('minikube')).toBeUndefined();
  });

  it('stops when its steps are used up', () => {
    const nearest = new NearestNames(contexts, { steps: 300 });
    expect(nearest.of('minikube')).toBeUndefined();
    expect(nearest.of(contexts[0] ?? '')).toBeUndefined();
  });

  it('agrees with the whole table about names that are near', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(letters, letters, (name, candidate) => {
        const limit = Math.min(4, Math.max(2, Math.ceil(name.length / 3)));
        expect(nearestName(name, [candidate]) === candidate).toBe(distance(name, candidate) <= limit);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The optimal string alignment distance by its definition. */
function distance(from: string, to: string): number {
  const known = new Map<string, number>();
  const of = (row: number, column: number): number => {
    const key = `${row} ${column}`;
    const before = known.get(key);
    if (before !== undefined) {
      return before;
    }
    const same = from[row - 1] === to[column - 1];
    const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
    const result =
      row === 0 || column === 0
        ? row + column
        : Math.min(
            of(row - 1, column - 1) + (same ? 0 : 1),
            of(row - 1, column) + 1,
            of(row, column - 1) + 1,
            row > 1 && column > 1 && swapped ? of(row - 2, column - 2) + 1 : Infinity,
          );
    known.set(key, result);
    return result;
  };
  return of(from.length, to.length);
}

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

  it('finds the nearest of 300 for five misspelt names within the steps of one review', () => {
    const nearest = new NearestNames(contexts);
    for (let index = 100; index < 105; index++) {
      expect(nearest.of(`arn:aws:eks:eu-west-1:123456789012:clutser/prod-${index}`)).toBe(contexts[index]);
    }
  });

  it.each<[string, (index: number) => string, (index: number) => string]>([
    [
      'differ from the first letter to the last',
      (index) => `${'ab'.repeat(120)}known${index}`,
      (index) => `${'ba'.repeat(120)}asked${index}`,
    ],
    ['differ in the middle', (index) => middle(`known${index}`), (index) => middle(`asked${index}`)],
  ])(
    'ends at its last step, without a suggestion, when 300 contexts and ten names of 250 letters %s',
    (_how, known, asked) => {
      const names = Array.from({ length: 10 }, (_, index) => asked(index));
      const answers = (): readonly (string | undefined)[] => {
        const nearest = new NearestNames(Array.from({ length: 300 }, (_, index) => known(index)));
        const found = names.map((name) => nearest.of(name));
        expect(nearest.stepsLeft).toBe(0);
        expect(nearest.of(known(0))).toBeUndefined();
        return found;
      };
      expect(answers().at(-1)).toBeUndefined();
      expect(answers()).toEqual(answers());
    },
  );

  it('looks at no more candidates than it has steps', () => {
    let looks = 0;
    const plainNames = new Map<string, string>();
    plainNames.get = (name) => {
      looks++;
      return name;
    };
    const nearest = new NearestNames(contexts, { plainNames, steps: 1_000 });
    for (let index = 0; index < 100; index++) {
      nearest.of('minikube');
    }
    expect(looks).toBeLessThan(1_000);
  });

  it('never spends more steps than it has, and makes no suggestion that it did not compare with all candidates', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(letters), fc.array(letters), fc.nat(3_000), (names, candidates, steps) => {
        const nearest = new NearestNames(candidates, { steps });
        for (const name of names) {
          const found = nearest.of(name);
          expect(nearest.stepsLeft).toBeGreaterThanOrEqual(0);
          expect([undefined, nearestName(name, candidates)]).toContain(found);
        }
      }),
    );
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

function middle(part: string): string {
  return `${'x'.repeat(120)}${part}${'y'.repeat(125)}`;
}

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

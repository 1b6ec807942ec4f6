import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestName } from '../../../shared/nearest-name.ts';

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

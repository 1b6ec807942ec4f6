import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClusterEvidence,
  type ClusterMember,
  clusterId,
  groupByCluster,
  isIdentity,
  isSameCluster,
  refined,
} from '../../../../controller/contexts/evidence.ts';

const evidence: fc.Arbitrary<ClusterEvidence> = fc.record({
  kubeSystemUid: fc.constantFrom(undefined, 'uid-1', 'uid-2'),
  namespace: fc.constantFrom(
    undefined,
    { name: 'default', uid: 'ns-1' },
    { name: 'default', uid: 'ns-2' },
    { name: 'team', uid: 'ns-3' },
  ),
});

const members: fc.Arbitrary<ClusterMember> = fc.record({
  place: fc.constantFrom(undefined, 'https://a', 'https://b', 'https://c'),
  evidence: fc.option(evidence, { nil: undefined }),
});

function member(place: string | undefined, given?: ClusterEvidence): ClusterMember {
  return { place, evidence: given };
}

describe('whether two members are one cluster', () => {
  it('is the same from both sides', () => {
    fc.assert(
      fc.property(members, members, (left, right) => {
        expect(isSameCluster(left, right)).toBe(isSameCluster(right, left));
      }),
    );
  });

  it('is decided by the uid of kube-system wherever both show it', () => {
    fc.assert(
      fc.property(members, members, (left, right) => {
        const [a, b] = [left.evidence?.kubeSystemUid, right.evidence?.kubeSystemUid];
        fc.pre(a !== undefined && b !== undefined);
        expect(isSameCluster(left, right)).toBe(a === b);
      }),
    );
  });

  it.each([
    [
      'another address of one cluster, by uid',
      member('https://a', { kubeSystemUid: 'uid-1' }),
      member('https://b', { kubeSystemUid: 'uid-1' }),
      true,
    ],
    [
      'a cluster rebuilt under its old address',
      member('https://a', { kubeSystemUid: 'uid-1' }),
      member('https://a', { kubeSystemUid: 'uid-2' }),
      false,
    ],
    [
      'one namespace seen twice where kube-system may not be read',
      member('https://a', { namespace: { name: 'team', uid: 'n' } }),
      member('https://b', { kubeSystemUid: 'uid-1', namespace: { name: 'team', uid: 'n' } }),
      true,
    ],
    [
      'namespaces of one name in two clusters',
      member('https://a', { namespace: { name: 'team', uid: 'n' } }),
      member('https://a', { namespace: { name: 'team', uid: 'm' } }),
      false,
    ],
    [
      'different namespaces at one address',
      member('https://a', { namespace: { name: 'team', uid: 'n' } }),
      member('https://a', { namespace: { name: 'other', uid: 'm' } }),
      true,
    ],
    ['one address, nothing else known', member('https://a'), member('https://a'), true],
    [
      'one address, one of them never reached',
      member('https://a', { kubeSystemUid: 'u' }),
      member('https://a'),
      true,
    ],
    ['two addresses, nothing else known', member('https://a'), member('https://b'), false],
    ['no address at all', member(undefined), member(undefined), false],
  ])('is known for %s', (_what, left, right, same) => {
    expect(isSameCluster(left, right)).toBe(same);
  });
});

describe('sorting members into clusters', () => {
  it('puts every member into exactly one group, and the same ones together in whatever order they come', () => {
    const given = fc
      .array(members, { maxLength: 6 })
      .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(given, ([list, shuffled]) => {
        const groups = groupByCluster(list);
        expect(groups.flat()).toHaveLength(list.length);
        expect(new Set(groups.flat())).toEqual(new Set(list));
        const partition = (all: readonly (readonly ClusterMember[])[]): ReadonlySet<string> =>
          new Set(
            all.map((group) =>
              group
                .map((one) => list.indexOf(one))
                .toSorted((left, right) => left - right)
                .join(),
            ),
          );
        expect(partition(groupByCluster(shuffled))).toEqual(partition(groups));
      }),
    );
  });

  it('never makes one cluster of two that show different uids of kube-system', () => {
    fc.assert(
      fc.property(fc.array(members, { maxLength: 6 }), (list) => {
        for (const group of groupByCluster(list)) {
          expect(new Set(group.flatMap((one) => one.evidence?.kubeSystemUid ?? [])).size).toBeLessThan(2);
        }
      }),
    );
  });

  it('leaves a weak member apart only where it fits several clusters', () => {
    fc.assert(
      fc.property(fc.array(members, { maxLength: 6 }), (list) => {
        const groups = groupByCluster(list);
        const strong = groups.filter((group) =>
          group.some(({ evidence: e }) => e?.kubeSystemUid !== undefined),
        );
        for (const one of list.filter(({ evidence: e }) => e?.kubeSystemUid === undefined)) {
          const fitting = strong.filter((group) =>
            group.some((other) => other.evidence?.kubeSystemUid !== undefined && isSameCluster(one, other)),
          );
          const home = groups.find((group) => group.includes(one));
          expect(fitting.length === 1 ? home === fitting[0] : !strong.includes(home ?? [])).toBe(true);
        }
      }),
    );
  });

  it('takes a weak member that fits the source and another for the source', () => {
    const namespace = { name: 'team', uid: 'n' };
    const source = { ...member('https://home', { kubeSystemUid: 'uid-1', namespace }), isSource: true };
    const target = member('https://a', { kubeSystemUid: 'uid-2', namespace });
    const weak = member('https://b', { namespace });
    expect(groupByCluster([target, weak, source])).toContainEqual([source, weak]);
  });

  it('believes the comparison of namespaces more than an address when it comes to the source', () => {
    const source = { ...member('https://home', { kubeSystemUid: 'uid-1' }), isSource: true };
    const other = member('https://home', { sharesSourceNamespace: false });
    const alias = member('https://b', { sharesSourceNamespace: true });
    expect([isSameCluster(source, other), isSameCluster(alias, source)]).toEqual([false, true]);
  });

  it('gives different clusters different names', () => {
    fc.assert(
      fc.property(fc.array(members, { maxLength: 6 }), (list) => {
        // What a context without an address is called is the caller's to tell apart.
        const ids = groupByCluster(list).map((group, index) => clusterId(group, String(index)));
        const weakTwins = ids.filter((id, index) => ids.indexOf(id) !== index);
        expect(weakTwins.filter((id) => !id.startsWith('url:'))).toEqual([]);
      }),
    );
  });

  it('keeps a uid that may no longer be read while the cluster is recognisably the same', () => {
    const known = { kubeSystemUid: 'u', namespace: { name: 'team', uid: 'n' } };
    expect(refined(known, { namespace: { name: 'team', uid: 'n' } }).kubeSystemUid).toBe('u');
    expect(refined(known, { namespace: { name: 'team', uid: 'other' } }).kubeSystemUid).toBeUndefined();
    expect(refined(known, { kubeSystemUid: 'v' }).kubeSystemUid).toBe('v');
    expect(refined(undefined, { namespace: { name: 'team', uid: 'n' } }).kubeSystemUid).toBeUndefined();
  });

  it('distinguishes a cluster that shows any uid from one that shows none', () => {
    expect(isIdentity({ kubeSystemUid: 'uid' })).toBe(true);
    expect(isIdentity({ namespace: { name: 'team', uid: 'uid' } })).toBe(true);
    expect(isIdentity({ sharesSourceNamespace: undefined, kubeSystemUid: undefined })).toBe(false);
  });

  it('names a cluster by its best evidence, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(members, { minLength: 1, maxLength: 5 }), (group) => {
        expect(clusterId(group.toReversed(), 'x')).toBe(clusterId(group, 'x'));
      }),
    );
    expect(clusterId([member('https://a'), member('https://b', { kubeSystemUid: 'uid-1' })], 'x')).toBe(
      'uid-1',
    );
    expect(clusterId([member('https://a')], 'x')).toBe('url:https://a');
  });
});

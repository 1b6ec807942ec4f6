import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContextPolicies } from '../../../../shared/catalog/context-policies.ts';
import { judge } from '../../../../shared/rules/judge.ts';
import type { Circumstances, Subject } from '../../../../shared/rules/subject.ts';
import type { Violation } from '../../../../shared/rules/violation.ts';
import { parseContextList } from '../../../../shared/sync-contexts.ts';
import { aContext, circumstancesOf } from '../../fakes/circumstances.ts';

function aSubject(list: string, over: Partial<Subject> = {}): Subject {
  return {
    kind: 'ConfigMap',
    namespace: 'demo',
    isCopy: false,
    list: parseContextList(list),
    ...over,
  };
}

const eastAndWest = circumstancesOf(
  aContext('east', { server: 'https://east.example:6443' }),
  aContext('west', { server: 'https://west.example:6443' }),
  aContext('oriental', { cluster: 'cluster-east', server: 'https://10.0.0.1:6443' }),
  aContext('hub', { isSource: true }),
  aContext('system', { namespace: 'kube-system' }),
);

function messages(violations: readonly Violation[]): readonly string[] {
  return violations.map(({ message }) => message);
}

describe('the rules', () => {
  it('find nothing wrong with a list of known contexts of different clusters', () => {
    expect(judge(aSubject('east, west'), eastAndWest)).toEqual([]);
  });

  it('report everything that is wrong with an object together', () => {
    const subject = aSubject('east,,oriental,hub,system,nobody', {
      kind: 'Secret',
      namespace: 'kube-system',
      type: 'helm.sh/release.v1',
      isCopy: true,
    });
    expect(judge(subject, eastAndWest).map(({ reason }) => reason)).toEqual([
      'SystemNamespace',
      'CopyAsSource',
      'SpecialSecret',
      'EmptyName',
      'UnknownContext',
      'SourceCluster',
      'SameCluster',
      'TargetNamespace',
    ]);
  });

  it('say what to change in whole sentences', () => {
    expect(messages(judge(aSubject('eats,oriental,east,hub'), eastAndWest))).toEqual([
      'Context "eats" is unknown (did you mean "east"?); known contexts are: "east", "west", "oriental", "system".',
      'Context "hub" is the cluster that this object lives in, which is never a target; remove it from the list.',
      'Contexts "oriental" and "east" are the same cluster (https://10.0.0.1:6443); keep one of them.',
    ]);
    expect(messages(judge(aSubject(''), eastAndWest))).toEqual([
      'The annotation kubed.appscode.com/sync-contexts names no context; name at least one, or remove the annotation to remove the copies.',
    ]);
    expect(messages(judge(aSubject('east,'), eastAndWest))).toEqual([
      'The annotation kubed.appscode.com/sync-contexts has an empty entry between its commas; remove it.',
    ]);
    expect(messages(judge(aSubject('x'), circumstancesOf()))).toEqual([
      'Context "x" is unknown; known contexts are: none.',
    ]);
    expect(messages(judge(aSubject('system'), eastAndWest))).toEqual([
      'Context "system" would place the copy in namespace "kube-system", where nothing is ever copied to; give the context another namespace.',
    ]);
  });

  it.each([
    ['kubernetes.io/service-account-token', 'a service account token'],
    ['bootstrap.kubernetes.io/token', 'a bootstrap token'],
    ['helm.sh/release.v1', 'a Helm release'],
  ])('refuse a Secret of type %s', (type, what) => {
    expect(judge(aSubject('east', { kind: 'Secret', type }), eastAndWest)).toEqual([
      {
        reason: 'SpecialSecret',
        stops: 'object',
        message: `A Secret of type ${type} is ${what} of this cluster and is never copied; remove the annotation.`,
        contexts: [],
      },
    ]);
    expect(judge(aSubject('east', { kind: 'ConfigMap', type }), eastAndWest)).toEqual([]);
  });

  it.each(['kube-system', 'kube-public', 'kube-node-lease', 'context-syncer'])(
    'let nothing out of namespace %s, nor into it',
    (namespace) => {
      const [out] = judge(aSubject('east', { namespace }), eastAndWest);
      expect(out).toMatchObject({ reason: 'SystemNamespace', contexts: [] });
      const [into] = judge(aSubject('c'), circumstancesOf(aContext('c', { namespace })));
      expect(into).toMatchObject({ reason: 'TargetNamespace', contexts: ['c'] });
    },
  );

  it('leave namespaces alone that only look like those of Kubernetes', () => {
    expect(judge(aSubject('east', { namespace: 'kubed' }), eastAndWest)).toEqual([]);
    expect(judge(aSubject('east', { namespace: 'my-kube-system' }), eastAndWest)).toEqual([]);
  });
});

describe('with policies, the rules', () => {
  const contexts = ['dev-1', 'dev-2', 'prod-1', 'prod-2', 'hub'].map((name) =>
    aContext(name, { isSource: name === 'hub', server: `https://${name}.example` }),
  );
  const open = circumstancesOf(...contexts, aContext('prod-1b', { cluster: 'cluster-prod-1' }));
  const restricted: Circumstances = {
    ...open,
    catalog: {
      ...open.catalog,
      policies: new ContextPolicies(
        [{ contexts: ['prod-*'], sourceNamespaces: ['platform'], kinds: ['ConfigMap'] }],
        'allow',
      ),
    },
  };
  const from = (namespace: string, list: string, kind: Subject['kind'] = 'ConfigMap') =>
    judge(aSubject(list, { namespace, kind }), restricted);

  it('find nothing wrong with what they allow', () => {
    expect(from('platform', 'prod-1,dev-1')).toEqual([]);
    expect(from('team-a', 'dev-1,dev-2')).toEqual([]);
  });

  it('name what is allowed, and nothing else', () => {
    expect(from('team-a', 'dev-1,prod-1')).toEqual([
      {
        reason: 'ContextNotAllowed',
        stops: 'contexts',
        message:
          'The policies do not allow context "prod-1" for ConfigMaps of namespace "team-a"; remove it from the list. Allowed contexts are: "dev-1", "dev-2".',
        contexts: ['prod-1'],
      },
    ]);
    expect(messages(from('platform', 'prod-2,prod-1', 'Secret'))).toEqual([
      'The policies do not allow contexts "prod-2" and "prod-1" for Secrets of namespace "platform"; remove them from the list. Allowed contexts are: "dev-1", "dev-2".',
    ]);
  });

  it('suggest nothing that is not allowed, and list the contexts once', () => {
    expect(messages(from('team-a', 'prd-1,prod-2,dve-1'))).toEqual([
      'Contexts "prd-1" and "dve-1" (did you mean "dev-1"?) are unknown; known contexts are: "dev-1", "dev-2".',
      'The policies do not allow context "prod-2" for ConfigMaps of namespace "team-a"; remove it from the list.',
    ]);
    expect(messages(from('team-a', 'hbu'))).toEqual([
      'Context "hbu" is unknown; known contexts are: "dev-1", "dev-2".',
    ]);
  });

  it('report nothing else about a context that is not allowed', () => {
    expect(from('team-a', 'prod-1,prod-1b').map(({ reason }) => reason)).toEqual(['ContextNotAllowed']);
    expect(from('platform', 'prod-1,prod-1b').map(({ reason }) => reason)).toEqual(['SameCluster']);
  });
});

describe('for any list and any contexts, the rules', () => {
  const names = fc.constantFrom('east', 'west', 'oriental', 'hub', 'system', 'nobody', 'estranged');
  const lists = fc.array(fc.oneof(names, fc.constant('')), { maxLength: 8 }).map((list) => list.join(','));

  it('report each unknown name, each name of the source cluster, and each group of names of one cluster once', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const violations = judge(aSubject(list), eastAndWest);
        const told = (reason: Violation['reason']): readonly string[] =>
          violations.filter((violation) => violation.reason === reason).flatMap(({ contexts }) => contexts);
        const listed = [...new Set(list.split(',').filter((name) => name !== ''))];
        expect(told('UnknownContext')).toEqual(
          listed.filter((name) => name === 'nobody' || name === 'estranged'),
        );
        expect(told('SourceCluster')).toEqual(listed.filter((name) => name === 'hub'));
        const twins = listed.filter((name) => name === 'east' || name === 'oriental');
        expect(told('SameCluster')).toEqual(twins.length > 1 ? twins : []);
        expect(violations.some(({ reason }) => reason === 'EmptyList')).toBe(listed.length === 0);
      }),
    );
  });

  it('say it in sentences that end, and name every context that they are about', () => {
    fc.assert(
      fc.property(lists, (list) => {
        for (const { message, contexts } of judge(aSubject(list), eastAndWest)) {
          expect(message).toMatch(/^[A-Z].*\.$/);
          expect(contexts.every((name) => message.includes(`"${name}"`))).toBe(true);
        }
      }),
    );
  });

  it('stay short where the list is as long as it can be', () => {
    const many = circumstancesOf(...Array.from({ length: 200 }, (_, index) => aContext(`cluster-${index}`)));
    const manyNames = Array.from({ length: 2_000 }, (_, index) => `name-${index}`);
    const [violation, ...others] = judge(aSubject(manyNames.join(',')), many);
    expect(others).toEqual([]);
    expect(violation?.contexts).toEqual(manyNames);
    expect(violation?.message).toMatch(
      /^Contexts "name-0", .*"name-9" and 1990 more are unknown; known contexts are: "cluster-0", .*"cluster-9" and 190 more\.$/,
    );
    expect(violation?.message.length).toBeLessThan(500);
    expect(judge(aSubject(`${manyNames.join(',')},last`), many).map(({ reason }) => reason)).toEqual([
      'ListTooLong',
      'UnknownContext',
    ]);
    const [long] = judge(aSubject('x'.repeat(250_000)), many);
    expect(long?.message.length).toBeLessThan(600);
  });
});

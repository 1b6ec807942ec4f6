import { describe, expect, it } from 'vitest';
import { ContextPolicies, type ContextPolicy } from '../../../../shared/catalog/context-policies.ts';

const both = ['ConfigMap', 'Secret'] as const;
const policies: readonly ContextPolicy[] = [
  { contexts: ['prod-1', 'edge-*'], sourceNamespaces: ['team-a'], kinds: both },
  { contexts: ['prod-*'], sourceNamespaces: ['platform', 'team-b*'], kinds: ['ConfigMap'] },
  { contexts: ['*'], sourceNamespaces: ['root'], kinds: ['Secret'] },
];

describe('policies', () => {
  it.each<[string, string, 'ConfigMap' | 'Secret', boolean]>([
    ['prod-1', 'team-a', 'Secret', true],
    ['prod-1', 'team-a', 'ConfigMap', true],
    ['prod-2', 'team-a', 'ConfigMap', false],
    ['edge-7', 'team-a', 'Secret', true],
    ['prod-1', 'platform', 'ConfigMap', true],
    ['prod-1', 'platform', 'Secret', false],
    ['prod-9', 'team-b-web', 'ConfigMap', true],
    ['prod-9', 'team-ab', 'ConfigMap', false],
    ['prod-9', 'root', 'Secret', true],
    ['prod-9', 'root', 'ConfigMap', false],
    ['dev', 'team-a', 'Secret', false],
  ])('of several for one context add up: %s from %s, %s: %j', (context, namespace, kind, allowed) => {
    expect(new ContextPolicies(policies, 'allow').allow(context, { namespace, kind })).toBe(allowed);
  });

  it('leave contexts that none names to the default', () => {
    const source = { namespace: 'team-a', kind: 'Secret' } as const;
    expect(new ContextPolicies(policies.slice(0, 2), 'allow').allow('dev', source)).toBe(true);
    expect(new ContextPolicies(policies.slice(0, 2), 'deny').allow('dev', source)).toBe(false);
    expect(new ContextPolicies([], 'deny').allow('dev', source)).toBe(false);
  });
});

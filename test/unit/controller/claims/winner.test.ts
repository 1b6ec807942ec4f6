// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the case that was generated
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../../controller/claims/claim.ts';
import { chooseWinner } from '../../../../controller/claims/winner.ts';
import type { CopyRecord } from '../../../../controller/copy/copy-record.ts';
import { aSource } from '../arbitraries.ts';

const target = { kind: 'ConfigMap', namespace: 'team', name: 'omni' } as const;

function aClaim(namespace: string, createdOn: string, context = 'c1'): Claim {
  const source = aSource({ namespace, creationTimestamp: `${createdOn}T00:00:00Z` });
  return { source, context, cluster: 'cluster-1', target, creation: 'allowed' };
}

function incumbent(namespace: string, context?: string): Pick<CopyRecord, 'origin' | 'context'> {
  return { origin: { namespace, name: 'omni', uid: 'uid', resourceVersion: '1' }, context };
}

const claims = fc.uniqueArray(
  fc
    .record({
      namespace: fc.constantFrom('a', 'b', 'c', 'd'),
      day: fc.constantFrom('2026-01-01', '2026-01-02'),
      context: fc.constantFrom('c1', 'c2'),
    })
    .map(({ namespace, day, context }) => aClaim(namespace, day, context)),
  { selector: ({ source, context }) => `${source.namespace} ${context}`, maxLength: 6 },
);

const observed = fc.option(
  fc
    .record({ namespace: fc.constantFrom('a', 'b', 'x'), context: fc.constantFrom('c1', 'c2', 'c3') })
    .map(({ namespace, context }) => incumbent(namespace, context)),
  { nil: undefined },
);

describe('the claim that is served', () => {
  it('does not depend on the order in which the claims came', () => {
    fc.assert(
      fc.property(
        claims.chain((given) =>
          fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })),
        ),
        observed,
        ([given, shuffled], origin) => {
          expect(chooseWinner(shuffled, origin)).toBe(chooseWinner(given, origin));
        },
      ),
    );
  });

  it("is the incumbent's while it asks, else the oldest source's, then the one of the lowest uid", () => {
    fc.assert(
      fc.property(claims, observed, (given, origin) => {
        const winner = chooseWinner(given, origin);
        const incumbents = given.filter(({ source }) => source.namespace === origin?.origin?.namespace);
        const pool = incumbents.length > 0 ? incumbents : given;
        expect(winner === undefined).toBe(given.length === 0);
        if (winner === undefined) {
          return;
        }
        expect(pool).toContain(winner);
        const rank = ({ source }: Claim): string => `${source.creationTimestamp} ${source.uid}`;
        const stays = incumbents.some(({ context }) => context === origin?.context);
        if (stays) {
          expect(winner.context).toBe(origin?.context);
        } else {
          expect(pool.every((claim) => rank(winner) <= rank(claim))).toBe(true);
        }
      }),
    );
  });

  it('stays with an incumbent that was deleted and made again', () => {
    const young = aClaim('young', '2026-06-01');
    const old = aClaim('old', '2026-01-01');
    expect(chooseWinner([young, old], incumbent('young'))).toBe(young);
    expect(chooseWinner([young, old], undefined)).toBe(old);
    expect(chooseWinner([young, old], incumbent('gone'))).toBe(old);
  });

  it('stays with the context that made the copy', () => {
    const [first, second] = [aClaim('a', '2026-01-01', 'c1'), aClaim('a', '2026-01-01', 'c2')];
    expect(chooseWinner([first, second], incumbent('a', 'c2'))).toBe(second);
    expect(chooseWinner([first, second], incumbent('a', 'c9'))).toBe(first);
  });
});

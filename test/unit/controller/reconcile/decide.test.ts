// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the case that was generated
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CopyRecord } from '../../../../controller/copy/copy-record.ts';
import { type Decision, decide, winnerOf } from '../../../../controller/reconcile/decide.ts';
import type { Facts, Release } from '../../../../controller/reconcile/facts.ts';
import { facts, standings } from './facts-arbitrary.ts';

const runs = { numRuns: 1_000 };
const writes: ReadonlySet<Decision['action']> = new Set(['create', 'update', 'adopt', 'delete']);

function ownershipOf({ observed }: Facts): CopyRecord['ownership'] | undefined {
  return typeof observed === 'string' ? undefined : observed.ownership;
}

/** The proof about the copy as it is, where there is one. */
function releaseOf({ observed, release }: Facts): Release | undefined {
  const isOfIt = typeof observed !== 'string' && observed.resourceVersion === release?.resourceVersion;
  return isOfIt ? release?.release : undefined;
}

function isReleased(given: Facts): boolean {
  return releaseOf(given)?.released === true;
}

function isTerminating({ observed }: Facts): boolean {
  return typeof observed !== 'string' && observed.terminating;
}

describe('whatever the facts, a decision', () => {
  it('changes nothing while it is unknown what exists there', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const decision = decide({ ...given, observed: 'unlisted' });
        expect(decision).toEqual({ action: 'wait', reason: 'TargetNotListed' });
      }),
      runs,
    );
  });

  it('never writes or deletes what is not ours', () => {
    fc.assert(
      fc.property(facts, (given) => {
        fc.pre(ownershipOf(given) === 'foreign');
        expect(writes.has(decide(given).action)).toBe(false);
      }),
      runs,
    );
  });

  it('deletes only an unclaimed copy of ours that a live read of its source released', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const proven =
          given.claims.length === 0 &&
          ownershipOf(given) === 'ours' &&
          !isTerminating(given) &&
          isReleased(given);
        expect(decide(given).action === 'delete').toBe(proven);
      }),
      runs,
    );
  });

  it('creates only where nothing exists, and only for a claim that may create', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const decision = decide(given);
        if (decision.action === 'create') {
          expect(given.observed).toBe('absent');
          expect(decision.claim.creation).toBe('allowed');
        }
      }),
      runs,
    );
  });

  it('takes a copy from another source only when a live read showed that it let go', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const decision = decide(given);
        if (decision.action !== 'update' && decision.action !== 'adopt') {
          return;
        }
        const { origin } = decision.observed;
        const { namespace, name } = decision.claim.source;
        const same = origin?.namespace === namespace && origin.name === name;
        expect(same || isReleased(given)).toBe(true);
      }),
      runs,
    );
  });

  it('writes for the winner, from content that was read', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const decision = decide(given);
        if (decision.action === 'create' || decision.action === 'update' || decision.action === 'adopt') {
          expect(decision.claim).toBe(winnerOf(given));
          expect(given.source).toMatchObject({
            uid: decision.claim.source.uid,
            reading: { state: 'read', source: decision.source },
          });
        }
      }),
      runs,
    );
  });

  it('never sets a copy back to a version of its source that is remembered and older', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const decision = decide(given);
        if (decision.action !== 'update' || !given.versionsTrusted) {
          return;
        }
        const { origin } = decision.observed;
        const ahead =
          origin?.uid === decision.source.uid &&
          Number(origin.resourceVersion) > Number(decision.source.resourceVersion);
        expect(ahead && given.source?.fresh !== true).toBe(false);
      }),
      runs,
    );
  });

  it("takes over Kubed's copies instead of updating them, and deletes none of them", () => {
    fc.assert(
      fc.property(facts, (given) => {
        fc.pre(ownershipOf(given) === 'adoptable');
        expect(['update', 'create', 'delete']).not.toContain(decide(given).action);
      }),
      runs,
    );
  });

  it('is the same for the same facts, whatever the order of the claims', () => {
    fc.assert(
      fc.property(facts, (given) => {
        fc.pre(
          new Set(given.claims.map(({ source, context }) => `${source.uid} ${context}`)).size ===
            given.claims.length,
        );
        const decision = decide(given);
        expect(decide(structuredClone(given))).toEqual(decision);
        expect(decide({ ...given, claims: given.claims.toReversed() })).toEqual(decision);
      }),
      runs,
    );
  });

  it('asks for a fact only while it is missing, so that gathering comes to an end', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const decision = decide(given);
        if (decision.action !== 'gather') {
          return;
        }
        const { observed, source } = given;
        const missing = {
          source:
            source?.uid !== winnerOf(given)?.source.uid ||
            (decision.fact === 'source' && decision.fresh && source?.fresh !== true),
          release: releaseOf(given) === undefined,
          observed:
            typeof observed !== 'string' &&
            (observed.terminating ? given.looked !== true : observed.stamp === undefined),
        };
        expect(missing[decision.fact]).toBe(true);
      }),
      runs,
    );
  });
});

it('leaves an object that nobody claims alone, unless it is ours', () => {
  fc.assert(
    fc.property(standings, (observed) => {
      fc.pre(observed !== 'unlisted' && (observed === 'absent' || observed.ownership !== 'ours'));
      const given: Facts = {
        target: { kind: 'ConfigMap', namespace: 'team', name: 'omni' },
        claims: [],
        observed,
        versionsTrusted: true,
        release: {
          uid: 'uid-copy',
          resourceVersion: '1',
          release: { released: true, reason: 'SourceDeleted' },
        },
      };
      expect(decide(given).action).toBe('leave');
    }),
  );
});

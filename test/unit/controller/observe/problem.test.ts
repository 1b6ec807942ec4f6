import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../../controller/claims/claim.ts';
import { type Problem, problemOf, type TargetState } from '../../../../controller/observe/problem.ts';
import type { Outcome } from '../../../../controller/reconcile/outcome.ts';
import { SourceReadError } from '../../../../controller/source/source-reader.ts';
import { ApiError, type ApiErrorReason, TransportError } from '../../../../shared/kube/errors.ts';
import { aSource } from '../arbitraries.ts';

const target = { kind: 'Secret', namespace: 'team', name: 'omni' } as const;

function aClaim(namespace = 'demo'): Claim {
  return {
    source: aSource({ kind: 'Secret', namespace }),
    context: 'c1',
    cluster: 'x',
    target,
    creation: 'allowed',
  };
}

const alone: TargetState = { unreachable: undefined, listFailure: undefined, winner: undefined };

function problem(outcome: Outcome, around: Partial<TargetState> = {}): Problem | undefined | 'unclear' {
  return problemOf(outcome, aClaim(), { ...alone, winner: aClaim(), ...around });
}

function failed(status: number, reason: ApiErrorReason, fields: readonly string[] = []): Outcome {
  return { kind: 'failed', error: new ApiError(status, reason, { fields }) };
}

describe('the problem that an outcome is', () => {
  it.each<Outcome>([
    { kind: 'left', reason: 'InSync' },
    { kind: 'written', action: 'create', reason: 'Missing' },
    { kind: 'written', action: 'adopt', reason: 'TakenOver' },
  ])('is none after $kind $reason', (outcome) => {
    expect(problem(outcome)).toBeUndefined();
  });

  it.each<Outcome>([
    { kind: 'refused', reason: 'AmbiguousCluster' },
    { kind: 'waiting', reason: 'TargetNotListed' },
    { kind: 'waiting', reason: 'TargetUnreachable' },
    { kind: 'waiting', reason: 'SourceChanging' },
    { kind: 'waiting', reason: 'ContextUnidentified' },
    { kind: 'waiting', reason: 'ContextSettling' },
    { kind: 'waiting', reason: 'DeletionGuard' },
    { kind: 'failed', error: new SourceReadError(new ApiError(500, 'ServerError')) },
    { kind: 'failed', error: new TransportError('Timeout', true, '') },
    { kind: 'failed', error: new ApiError(409, 'Conflict') },
    { kind: 'failed', error: new TypeError('a bug') },
  ])('cannot be told after %j, so that what was said before stands', (outcome) => {
    expect(problem(outcome)).toBe('unclear');
  });

  it.each<[string, Outcome, Partial<TargetState>]>([
    ['Unowned', { kind: 'refused', reason: 'Unowned' }, {}],
    ['ClaimedByOther', { kind: 'refused', reason: 'ClaimedByOther' }, {}],
    ['SpecialSecret', { kind: 'refused', reason: 'SpecialSecret' }, {}],
    ['Contested', { kind: 'waiting', reason: 'Contested' }, {}],
    ['TargetUnreachable', { kind: 'waiting', reason: 'TargetUnreachable' }, { unreachable: 'it is silent' }],
    [
      'TargetForbidden',
      { kind: 'waiting', reason: 'TargetNotListed' },
      { listFailure: new ApiError(403, 'Forbidden') },
    ],
    [
      'TargetListFailed',
      { kind: 'waiting', reason: 'TargetNotListed' },
      { listFailure: new ApiError(500, 'ServerError') },
    ],
    ['TargetUnreachable', { kind: 'waiting', reason: 'TargetNotListed' }, { unreachable: 'it is silent' }],
    ['CopyTerminating', { kind: 'waiting', reason: 'CopyTerminating' }, {}],
    ['TargetForbidden', failed(403, 'Forbidden'), {}],
    ['NamespaceNotFound', failed(404, 'NamespaceNotFound'), {}],
    ['NamespaceTerminating', failed(403, 'NamespaceTerminating'), {}],
    ['TargetRefused', failed(422, 'Invalid', ['data']), {}],
    ['TargetFailed', failed(500, 'ServerError'), {}],
  ])('is %s', (reason, outcome, around) => {
    expect(problem(outcome, around)).toMatchObject({ reason });
  });

  it('is reported with what to do', () => {
    expect(problem({ kind: 'refused', reason: 'Unowned' })).toEqual({
      reason: 'Unowned',
      message:
        'Secret team/omni in the cluster of context "c1" exists and is not a copy of this object; it is left untouched. Delete or rename it there, and the copy is made.',
    });
    expect(problem(failed(404, 'NamespaceNotFound'))).toEqual({
      reason: 'NamespaceNotFound',
      message:
        'Namespace "team" does not exist in the cluster of context "c1"; namespaces are never created. Create it there, and the copy follows.',
    });
    expect(problem(failed(422, 'Invalid', ['data', 'metadata.labels']))).toEqual({
      reason: 'TargetRefused',
      message: 'The cluster of context "c1" refuses Secret team/omni (422 Invalid: data, metadata.labels).',
    });
  });
});

describe('a source whose object is the copy of another', () => {
  const winner = aClaim('other');

  it.each<Outcome>([
    { kind: 'left', reason: 'InSync' },
    { kind: 'written', action: 'update', reason: 'SourceChanged' },
    { kind: 'waiting', reason: 'Contested' },
    failed(500, 'ServerError'),
  ])('hears whose it is, whatever became of it: %j', (outcome) => {
    const found = problem(outcome, { winner });
    expect(found).toMatchObject({ reason: 'ClaimedByOther' });
    expect(JSON.stringify(found)).toContain('is the copy of other/omni');
  });

  it('gets no such report before it is known what exists there, nor where neither of the two has it', () => {
    expect(problem({ kind: 'waiting', reason: 'TargetNotListed' }, { winner })).toBe('unclear');
    expect(problem({ kind: 'refused', reason: 'Unowned' }, { winner })).toMatchObject({ reason: 'Unowned' });
  });
});

it('never repeats what an API server or a bug says in its own words', () => {
  const canary = 'c4n4ry-payload';
  const reasons = fc.constantFrom<ApiErrorReason>(
    'Invalid',
    'Forbidden',
    'BadRequest',
    'TooLarge',
    'ServerError',
    'Unexpected',
    'Conflict',
    'NamespaceNotFound',
  );
  const errors = fc.oneof(
    reasons.map((reason) => {
      const error = new ApiError(400, reason);
      error.message = canary;
      return error;
    }),
    fc.constantFrom(
      new TransportError('Other', true, canary),
      new Error(canary),
      new SourceReadError(new Error(canary)),
    ),
  );
  fc.assert(
    fc.property(errors, fc.boolean(), (error, contested) => {
      const winner = contested ? aClaim('other') : aClaim();
      const found = problem({ kind: 'failed', error }, { winner });
      expect(JSON.stringify(found)).not.toContain(canary);
    }),
  );
});

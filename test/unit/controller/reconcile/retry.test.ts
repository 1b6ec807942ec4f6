import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../../controller/reconcile/outcome.ts';
import { obstacleOf, retryDelayMs } from '../../../../controller/reconcile/retry.ts';
import { SourceReadError } from '../../../../controller/source/source-reader.ts';
import { ApiError, type ApiErrorReason, TransportError } from '../../../../shared/kube/errors.ts';

const half = (): number => 0.5;

describe('when to look again', () => {
  it.each<Outcome>([
    { kind: 'left', reason: 'InSync' },
    { kind: 'written', action: 'create', reason: 'Missing' },
    { kind: 'refused', reason: 'SpecialSecret' },
    { kind: 'refused', reason: 'AmbiguousCluster' },
    { kind: 'waiting', reason: 'TargetNotListed' },
    { kind: 'waiting', reason: 'TargetUnreachable' },
    { kind: 'waiting', reason: 'DeletionGuard' },
    { kind: 'waiting', reason: 'ContextSettling' },
  ])('is when something happens, after $kind $reason', (outcome) => {
    fc.assert(
      fc.property(fc.nat(1_000), (failures) => {
        expect(retryDelayMs(outcome, failures, half, undefined)).toBeUndefined();
      }),
    );
  });

  it.each<Outcome>([
    { kind: 'failed', error: new ApiError(404, 'NamespaceNotFound') },
    { kind: 'failed', error: new ApiError(403, 'Forbidden') },
    { kind: 'failed', error: new ApiError(422, 'Invalid') },
  ])(
    'is within 15 s where a person must act, for the one object that is tried for others ($kind)',
    (outcome) => {
      fc.assert(
        fc.property(
          fc.nat(2_000),
          fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
          (failures, random) => {
            const delay = retryDelayMs(outcome, failures, () => random, 'scout') ?? Number.NaN;
            expect(delay).toBeGreaterThanOrEqual(500);
            expect(delay).toBeLessThanOrEqual(15_000);
          },
        ),
      );
    },
  );

  it.each<Outcome>([
    { kind: 'waiting', reason: 'SourceChanging' },
    { kind: 'failed', error: new TransportError('ConnectionReset', true, '') },
    { kind: 'failed', error: new SourceReadError(new ApiError(500, 'ServerError')) },
    { kind: 'failed', error: new ApiError(500, 'ServerError') },
    { kind: 'failed', error: new ApiError(409, 'Conflict') },
    { kind: 'failed', error: new ApiError(429, 'TooManyRequests') },
    { kind: 'failed', error: new TypeError('a bug') },
  ])('is soon, and later with every failure, where something of the moment went wrong ($kind)', (outcome) => {
    const delays = [0, 1, 2, 3, 100].map((failures) => retryDelayMs(outcome, failures, half, undefined));
    expect(delays).toEqual([150, 300, 600, 1_200, 7_500]);
  });

  it.each<[Outcome, 'waits' | undefined]>([
    [{ kind: 'refused', reason: 'Unowned' }, undefined],
    [{ kind: 'refused', reason: 'ClaimedByOther' }, undefined],
    [{ kind: 'waiting', reason: 'CopyTerminating' }, undefined],
    [{ kind: 'failed', error: new ApiError(422, 'Invalid') }, undefined],
    [{ kind: 'failed', error: new ApiError(403, 'Forbidden') }, 'waits'],
  ])('backs off to two minutes after %j', (outcome, role) => {
    const delays = [0, 1, 2, 100].map((failures) => retryDelayMs(outcome, failures, half, role));
    expect(delays).toEqual([750, 1_500, 3_000, 90_000]);
  });

  it.each(['NamespaceNotFound', 'NamespaceTerminating'] as const)(
    'is when the one object that is tried for all of the namespace gets further, after %s',
    (reason) => {
      const outcome: Outcome = { kind: 'failed', error: new ApiError(403, reason) };
      expect(retryDelayMs(outcome, 100, half, 'waits')).toBeUndefined();
    },
  );

  it.each([
    [new SourceReadError(new ApiError(500, 'ServerError')), 'source'],
    [new ApiError(503, 'ServerError'), 'server error'],
    [new ApiError(404, 'NamespaceNotFound'), 'namespace demo'],
    [new ApiError(403, 'NamespaceTerminating'), 'namespace demo'],
    [new ApiError(403, 'Forbidden'), 'rights on ConfigMap demo'],
    [new ApiError(422, 'Invalid'), undefined],
    [new TransportError('Timeout', true, ''), undefined],
  ])('groups objects that fail with %s', (error, obstacle) => {
    const target = { kind: 'ConfigMap', namespace: 'demo', name: 'omni' } as const;
    expect(obstacleOf({ kind: 'failed', error }, target)).toBe(obstacle);
  });

  it('is when the target says', () => {
    const error = new ApiError(429, 'TooManyRequests', { retryAfterMs: 4_321 });
    expect(retryDelayMs({ kind: 'failed', error }, 7, half, undefined)).toBe(4_321);
    const contested: Outcome = { kind: 'waiting', reason: 'Contested', retryAfterMs: 15_000 };
    expect(retryDelayMs(contested, 7, half, undefined)).toBe(15_000);
  });

  it('is always some time after a failure', () => {
    const reasons: readonly ApiErrorReason[] = [
      'NotFound',
      'NamespaceTerminating',
      'AlreadyExists',
      'Unauthorized',
      'Gone',
      'TooLarge',
      'BadRequest',
      'Unexpected',
    ];
    for (const reason of reasons) {
      const delay = retryDelayMs({ kind: 'failed', error: new ApiError(400, reason) }, 0, half, undefined);
      expect(delay).toBeGreaterThan(0);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { errorFields } from '../../../shared/error-fields.ts';
import { AbortedError, ApiError, CredentialsError, TransportError } from '../../../shared/kube/errors.ts';

const canary = 'canary-7f3a';

describe('errorFields', () => {
  it('keep reason, status and fields of a refusal', () => {
    expect(errorFields(new ApiError(422, 'Invalid', { fields: ['data', 'type'] }))).toEqual({
      error: 'ApiError',
      reason: 'Invalid',
      status: 422,
      fields: ['data', 'type'],
    });
  });

  it('keep the reason and the code behind it when no answer came', () => {
    const cause = Object.assign(new Error(canary), { code: 'ECONNRESET' });
    expect(errorFields(new TransportError('ConnectionReset', true, canary, { cause }))).toEqual({
      error: 'TransportError',
      reason: 'ConnectionReset',
      sent: true,
      cause: 'ECONNRESET',
    });
  });

  it('keep which credentials cannot be used', () => {
    const cause = new CredentialsError('the token file /t is empty');
    expect(errorFields(new TransportError('CredentialsUnusable', false, '', { cause }))).toMatchObject({
      reason: 'CredentialsUnusable',
      problem: 'the token file /t is empty',
    });
  });

  it('keep only the name of an aborted request', () => {
    expect(errorFields(new AbortedError())).toEqual({ error: 'AbortedError' });
  });

  it('keep name, code and place of an unknown error', () => {
    const { at, ...rest } = errorFields(Object.assign(new TypeError(canary), { code: 'ERR_X' }));
    expect(rest).toEqual({ error: 'TypeError', code: 'ERR_X', cause: undefined });
    expect(at).toMatch(/error-fields\.test\.ts:\d+:\d+$/);
  });

  it.each<[string, unknown]>([
    ['a message', new Error(canary)],
    ['a parser that quotes its input', parseFailure(`{"password": ${canary}}`)],
    [
      'a message that imitates a stack',
      new Error(`x\n    at f (file:///${canary}:1:2)\n    at /${canary}:1:1`),
    ],
    ['a name', Object.assign(new Error('x'), { name: `Error ${canary}` })],
    ['a code', Object.assign(new Error('x'), { code: canary })],
    [
      'a stack that does not hold the message',
      Object.assign(new Error('y'), { stack: `Error\n    at /${canary}:1:1` }),
    ],
    ['a cause', new Error('x', { cause: new Error(canary) })],
    ['a thrown string', canary],
    ['a thrown object', { message: canary }],
  ])('never shows %s', (_, error) => {
    expect(JSON.stringify(errorFields(error))).not.toContain(canary);
  });
});

function parseFailure(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

import { describe, expect, test } from 'vitest';
import { type Question, refusal, watchRefusal } from '../../../../../shared/kube/connection/answer.ts';
import { status } from '../local-server.ts';

const object: Question = { plural: 'configmaps', name: 'omni' };
const collection: Question = { plural: 'configmaps' };

describe('a refusal has the reason that follows from the Status', () => {
  test.each([
    [400, status(400, 'BadRequest'), object, 'BadRequest'],
    [401, status(401, 'Unauthorized'), object, 'Unauthorized'],
    [403, status(403, 'Forbidden'), object, 'Forbidden'],
    [
      403,
      status(403, 'Forbidden', { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] }),
      collection,
      'NamespaceTerminating',
    ],
    [404, status(404, 'NotFound', { name: 'omni', kind: 'configmaps' }), object, 'NotFound'],
    [404, status(404, 'NotFound', { name: 'demo', kind: 'namespaces' }), collection, 'NamespaceNotFound'],
    [
      404,
      status(404, 'NotFound', { name: 'demo', kind: 'namespaces' }),
      { plural: 'namespaces', name: 'demo' },
      'NotFound',
    ],
    [409, status(409, 'AlreadyExists', { name: 'omni', kind: 'configmaps' }), collection, 'AlreadyExists'],
    [409, status(409, 'Conflict', { name: 'omni', kind: 'configmaps' }), object, 'Conflict'],
    [410, status(410, 'Expired'), collection, 'Gone'],
    [413, status(413, 'RequestEntityTooLarge'), collection, 'TooLarge'],
    [422, status(422, 'Invalid'), object, 'Invalid'],
    [429, status(429, 'TooManyRequests'), object, 'TooManyRequests'],
    [500, status(500, 'InternalError'), object, 'ServerError'],
    [503, undefined, object, 'ServerError'],
    [504, status(504, 'Timeout'), object, 'ServerError'],
    [302, undefined, object, 'Unexpected'],
    [406, status(406, 'NotAcceptable'), object, 'Unexpected'],
  ] as const)('%i %j to %j is %s', (code, body, question, reason) => {
    expect(refusal(code, body, question)).toMatchObject({ status: code, reason });
  });
});

describe('absence is believed only of the object that was asked for', () => {
  test.each([
    ['a text page of a proxy', undefined],
    ['a Status without details', status(404, 'NotFound')],
    ['a Status about another name', status(404, 'NotFound', { name: 'other', kind: 'configmaps' })],
    ['a Status about another kind', status(404, 'NotFound', { name: 'omni', kind: 'secrets' })],
    ['a Status with another reason', status(404, 'Denied', { name: 'omni', kind: 'configmaps' })],
    ['JSON that is no Status', { reason: 'NotFound', details: { name: 'omni', kind: 'configmaps' } }],
  ])('%s', (_what, body) => {
    expect(refusal(404, body, object).reason).toBe('Unexpected');
  });
});

test('fields are named, messages and values are not', () => {
  const error = refusal(
    422,
    status(422, 'Invalid', {
      causes: [
        { reason: 'FieldValueInvalid', message: 'CANARY', field: 'data' },
        { reason: 'FieldValueInvalid', message: 'CANARY', field: 'data' },
        { reason: 'FieldValueForbidden', message: 'CANARY', field: 'metadata.labels' },
      ],
    }),
    object,
  );
  expect(error.fields).toEqual(['data', 'metadata.labels']);
  expect(`${error.message} ${JSON.stringify(error)} ${error.stack ?? ''}`).not.toContain('CANARY');
});

test('an answer with thousands of long fields is cut', () => {
  const causes = Array.from({ length: 5000 }, (_, index) => ({ field: `${index}${'x'.repeat(1000)}` }));
  const { fields } = refusal(422, status(422, 'Invalid', { causes }), object);
  expect(fields).toHaveLength(10);
  expect(Math.max(...fields.map((field) => field.length))).toBe(200);
});

test('the time to wait comes from the header, else from the Status', () => {
  const body = status(429, 'TooManyRequests', { retryAfterSeconds: 7 });
  expect(refusal(429, body, object, '3').retryAfterMs).toBe(3000);
  expect(refusal(429, body, object).retryAfterMs).toBe(7000);
  expect(refusal(429, body, object, 'soon').retryAfterMs).toBe(7000);
  expect(refusal(429, body, object, '86400').retryAfterMs).toBe(60_000);
  expect(refusal(429, body, object, '0').retryAfterMs).toBe(1000);
  expect(refusal(503, undefined, object).retryAfterMs).toBeUndefined();
});

test('an ERROR event of a watch is a refusal by its code', () => {
  expect(watchRefusal(status(410, 'Expired'), collection)).toMatchObject({ status: 410, reason: 'Gone' });
  expect(watchRefusal(status(500, 'InternalError'), collection).reason).toBe('ServerError');
  expect(watchRefusal({ any: 'thing' }, collection).reason).toBe('ServerError');
});

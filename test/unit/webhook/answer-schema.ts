import { Ajv } from 'ajv';
import { isRecord } from '../../../shared/is-record.ts';

const responseSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['uid', 'allowed'],
  properties: {
    uid: { type: 'string', minLength: 1 },
    allowed: { type: 'boolean' },
    status: {
      type: 'object',
      additionalProperties: false,
      required: ['code', 'message'],
      properties: {
        code: { type: 'integer', minimum: 400, maximum: 599 },
        message: { type: 'string', minLength: 1 },
        details: {
          type: 'object',
          additionalProperties: false,
          required: ['kind', 'name', 'causes'],
          properties: {
            kind: { type: 'string' },
            name: { type: 'string' },
            causes: {
              type: 'array',
              items: {
                type: 'object',
                additionalProperties: false,
                required: ['reason', 'message', 'field'],
                properties: {
                  reason: { type: 'string' },
                  message: { type: 'string' },
                  field: { type: 'string' },
                },
              },
            },
          },
        },
      },
    },
    // More than 256 characters are cut by the API server. 120 are what the Kubernetes documentation recommends; a warning that
    // quotes a context's problem has more, to say what to do.
    warnings: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 256 } },
  },
  // A refusal says why; an allowed object has nothing to say but warnings.
  if: { properties: { allowed: { const: false } } },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { required: ['status'] },
  else: { not: { required: ['status'] } },
};

const ajv = new Ajv({ strictRequired: false });
const isResponse = ajv.compile(responseSchema);

/** Why an API server would not understand an answer, or undefined. */
export function misunderstood(answer: unknown): string | undefined {
  if (!isRecord(answer) || answer['kind'] !== 'AdmissionReview') return 'no AdmissionReview';
  if (answer['apiVersion'] !== 'admission.k8s.io/v1') return 'another version';
  return isResponse(answer['response']) ? undefined : ajv.errorsText(isResponse.errors);
}

import { Ajv } from 'ajv';
import { isRecord } from '../shared/is-record.ts';
import type { Keys } from '../shared/keys.ts';
import type { Wanted } from './json-projection.ts';

/** The only version that is spoken; `admissionReviewVersions` of the webhook configuration must name it. */
export const reviewApiVersion = 'admission.k8s.io/v1';

/** As much of an object under review as the rules look at. The API server may send null for what is not there. */
export interface ReviewedObject {
  readonly metadata?: {
    readonly name?: string | null;
    readonly namespace?: string | null;
    readonly uid?: string | null;
    readonly annotations?: Readonly<Record<string, string>> | null;
  } | null;
  /** A Secret's type. */
  readonly type?: string | null;
}

/** The `request` of an AdmissionReview, as far as it is used. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  /** Absent where the API server is to make it up from `generateName`. */
  readonly name?: string | null;
  readonly namespace?: string | null;
  /** Null for DELETE. */
  readonly object?: ReviewedObject | null;
  /** Null for CREATE. */
  readonly oldObject?: ReviewedObject | null;
}

/** One cause of a refusal, for machines. */
export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** The `response` of an AdmissionReview. */
export interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  /** For a refusal. It has no `reason`: with one, kubectl prints the causes only and drops the message. */
  readonly status?: {
    readonly code: number;
    readonly message: string;
    readonly details?: {
      readonly kind: string;
      readonly name: string;
      readonly causes: readonly StatusCause[];
    };
  };
  readonly warnings?: readonly string[];
}

/** A body that is no AdmissionReview of the version we speak. Its message holds nothing of the body's values. */
export class ReviewError extends Error {
  override readonly name = 'ReviewError';
}

const textOrNull = { type: 'string', nullable: true };
/** What identifies an object is at most a DNS subdomain. It is repeated in answers and log lines, so it is bounded. */
const name = { type: 'string', maxLength: 253 };
const nameOrNull = { ...name, nullable: true };
/** API servers take annotations of 256 KiB, all of an object together. */
const annotation = { type: 'string', maxLength: 256 * 1024 };

const objectSchema = {
  type: 'object',
  nullable: true,
  properties: {
    metadata: {
      type: 'object',
      nullable: true,
      properties: {
        name: nameOrNull,
        namespace: nameOrNull,
        uid: nameOrNull,
        annotations: { type: 'object', nullable: true, additionalProperties: annotation },
      },
    },
    type: textOrNull,
  },
};

const requestSchema = {
  type: 'object',
  required: ['uid', 'kind', 'operation'],
  properties: {
    uid: { ...name, minLength: 1 },
    kind: {
      type: 'object',
      required: ['group', 'version', 'kind'],
      properties: { group: name, version: name, kind: name },
    },
    operation: { enum: ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] },
    name: nameOrNull,
    namespace: nameOrNull,
    object: objectSchema,
    oldObject: objectSchema,
  },
};

/** The parts of an AdmissionReview that a review looks at. */
export function wantedOf({ syncContexts, origin, sync }: Keys): Wanted {
  const annotations = { [syncContexts]: true, [origin]: true, [sync]: true } as const;
  const object = {
    metadata: { name: true, namespace: true, uid: true, annotations },
    type: true,
  } as const;
  const request = { uid: true, kind: true, operation: true, name: true, namespace: true } as const;
  return { apiVersion: true, kind: true, request: { ...request, object, oldObject: object } };
}

/** Reads and writes AdmissionReviews. */
export interface ReviewFormat {
  /** The request in a parsed body. @throws ReviewError */
  read(body: unknown): AdmissionRequest;
  /** The answer as JSON. */
  write(response: AdmissionResponse): string;
}

export function reviewFormat(): ReviewFormat {
  const ajv = new Ajv({ strictRequired: false });
  const isRequest = ajv.compile<AdmissionRequest>(requestSchema);
  return {
    read(body) {
      if (!isRecord(body) || body['kind'] !== 'AdmissionReview') {
        throw new ReviewError('the body must be an AdmissionReview');
      }
      if (body['apiVersion'] !== reviewApiVersion) {
        throw new ReviewError(
          `the apiVersion of an AdmissionReview must be ${reviewApiVersion}: set admissionReviewVersions of the webhook configuration to [v1]`,
        );
      }
      const request: unknown = body['request'];
      if (!isRequest(request)) {
        const [error] = isRequest.errors ?? [];
        throw new ReviewError(
          `the AdmissionReview is malformed: request${error?.instancePath ?? ''} ${error?.message ?? ''}`,
        );
      }
      return request;
    },
    write: (response) => JSON.stringify({ apiVersion: reviewApiVersion, kind: 'AdmissionReview', response }),
  };
}

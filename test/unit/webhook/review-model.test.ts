import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { resolve } from '../../../controller/claims/resolve.ts';
import { sourceRecordOf } from '../../../controller/source/source-record.ts';
import { formatCatalog, parseCatalog } from '../../../shared/catalog/document.ts';
import { isRecord } from '../../../shared/is-record.ts';
import type { KubeObject } from '../../../shared/kube/object.ts';
import type { Violation } from '../../../shared/rules/violation.ts';
import type { SyncedKindName } from '../../../shared/synced-kind.ts';
import {
  type AdmissionRequest,
  type ReviewedObject,
  reviewFormat,
} from '../../../webhook/admission-review.ts';
import { review } from '../../../webhook/review.ts';
import { misunderstood } from './answer-schema.ts';
import { bodyOf, catalog, circumstances, keys } from './fixtures.ts';

const format = reviewFormat();
const runs = { numRuns: 1_000 };

const entry = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...catalog.contexts.keys()) },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', 'context-11', 'Context-1', 'nowhere') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);
const list = fc.oneof(
  fc.array(entry, { maxLength: 5 }).map((entries) => entries.join(',')),
  fc.shuffledSubarray(['context-1', 'alias-of-2', 'fresh', 'down']).map((names) => names.join(' , ')),
);
const annotations: fc.Arbitrary<Readonly<Record<string, string>>> = fc
  .uniqueArray(
    fc.oneof(
      fc.tuple(fc.constant(keys.syncContexts), list),
      fc.tuple(fc.constant(keys.origin), fc.constant('{}')),
      fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
    ),
    { selector: ([key]) => key, maxLength: 4 },
  )
  .map((entries) => Object.fromEntries(entries));
const namespace = fc.constantFrom('demo', 'other', 'third', 'kube-system', 'context-syncer');
const anObject: fc.Arbitrary<ReviewedObject> = fc.record(
  {
    metadata: fc.option(
      fc.record(
        { name: fc.string({ unit: 'binary' }), namespace, annotations: fc.option(annotations) },
        { requiredKeys: [] },
      ),
    ),
    type: fc.option(fc.constantFrom('Opaque', 'helm.sh/release.v1', 'kubernetes.io/service-account-token')),
    data: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const anyRequest = fc
  .record({
    uid: fc.string({ unit: 'binary', minLength: 1 }),
    kind: fc.constantFrom(
      { group: '', version: 'v1', kind: 'ConfigMap' },
      { group: '', version: 'v1', kind: 'Secret' },
      { group: 'apps', version: 'v1', kind: 'Deployment' },
    ),
    operation: fc.constantFrom<AdmissionRequest['operation']>('CREATE', 'UPDATE', 'DELETE', 'CONNECT'),
    name: fc.option(fc.string({ unit: 'binary' })),
    namespace: fc.option(namespace),
    object: fc.option(anObject, { freq: 20 }),
    oldObject: fc.option(anObject),
  })
  // Half of the updates leave the object as it was.
  .map((request): AdmissionRequest => request)
  .chain((request) => fc.constantFrom(request, { ...request, oldObject: request.object ?? null }));

/** An object as the controller comes to know it, with everything in its place. */
const aSource = fc.record({
  kind: fc.constantFrom<SyncedKindName>('ConfigMap', 'Secret'),
  namespace,
  name: fc.constantFrom('omni', 'other'),
  list,
  isCopy: fc.constantFrom(true, false, false, false),
  type: fc.constantFrom(undefined, 'Opaque', 'helm.sh/release.v1', 'bootstrap.kubernetes.io/token'),
});

test('whatever the API server sends is read, answered, and answered with its uid', () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const read = format.read(JSON.parse(bodyOf(request)));
      const answer: unknown = JSON.parse(format.write(review(read, circumstances)));
      // JSON has no lone surrogates, and neither has what the API server sends.
      expect(answer).toMatchObject({ response: { uid: request.uid } });
      expect(misunderstood(answer)).toBeUndefined();
    }),
    runs,
  );
});

test('the verdict on a new list is what the controller makes of the object, down to the sentences', () => {
  const published = parseCatalog(formatCatalog(catalog));
  const seen = { allowed: 0, refused: 0 };
  fc.assert(
    fc.property(aSource, fc.constantFrom<'CREATE' | 'UPDATE'>('CREATE', 'UPDATE'), (source, operation) => {
      const object = {
        metadata: {
          name: source.name,
          namespace: source.namespace,
          annotations: {
            [keys.syncContexts]: source.list,
            ...(source.isCopy ? { [keys.origin]: '{}' } : {}),
          },
        },
        ...(source.type === undefined ? {} : { type: source.type }),
      };
      const body = bodyOf({
        uid: 'u',
        kind: { group: '', version: 'v1', kind: source.kind },
        operation,
        name: source.name,
        namespace: source.namespace,
        object,
        oldObject: operation === 'CREATE' ? null : { metadata: { annotations: {} } },
      });
      const response = review(format.read(JSON.parse(body)), {
        ...circumstances,
        contexts: { catalog: published },
      });
      const expected = controllersView(source.kind, object);
      expect(response.allowed).toBe(expected.length === 0);
      expect(misunderstood(JSON.parse(format.write(response)))).toBeUndefined();
      const causes = response.status?.details?.causes ?? [];
      expect(causes.map(({ reason, message }) => [reason, message])).toEqual(
        expected.map(({ reason, message }) => [reason, message]),
      );
      seen[response.allowed ? 'allowed' : 'refused'] += 1;
    }),
    runs,
  );
  // Else the comparison would prove little.
  expect(Math.min(seen.allowed, seen.refused)).toBeGreaterThan(50);
});

test('removals, deletions and unchanged lists are never refused', () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const response = review(request, circumstances);
      const value = annotation(request.object);
      const free =
        request.operation === 'DELETE' ||
        value === undefined ||
        (request.operation === 'UPDATE' && annotation(request.oldObject) === value);
      expect(response.allowed || !free).toBe(true);
    }),
    runs,
  );
});

test('what is no AdmissionReview of ours is refused by a sentence without its content', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) => {
      const wrapped = isRecord(body)
        ? { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', ...body }
        : body;
      expect(() => format.read(wrapped)).toThrow(/^the (body|apiVersion|AdmissionReview) /);
    }),
  );
});

function annotation(object: AdmissionRequest['object']): string | undefined {
  return object?.metadata?.annotations?.[keys.syncContexts];
}

/** What the controller finds wrong with an object, by its own way from the object to the verdict. */
function controllersView(
  kind: SyncedKindName,
  object: KubeObject & { readonly type?: string },
): readonly Violation[] {
  const record = sourceRecordOf(kind, object, keys);
  if (record === undefined) {
    throw new Error('the object is no source');
  }
  return resolve(record, { keys, ownNamespace: circumstances.ownNamespace, catalog }, object.type).violations;
}

import type { Catalog, CatalogContext } from '../../../shared/catalog/catalog.ts';
import { keysOf } from '../../../shared/keys.ts';
import type { AdmissionRequest, ReviewedObject } from '../../../webhook/admission-review.ts';
import type { ReviewCircumstances } from '../../../webhook/review.ts';

export const keys = keysOf('kubed.appscode.com');

export function context(name: string, more: Partial<CatalogContext> = {}): CatalogContext {
  return { name, cluster: `uid of ${name}`, identified: true, settling: false, isSource: false, ...more };
}

export function catalogOf(...contexts: readonly CatalogContext[]): Catalog {
  return { contexts: new Map(contexts.map((one) => [one.name, one])) };
}

/** Two plain targets, an alias of the second, the source, and one of each that is out of the ordinary; sorted by name. */
export const catalog = catalogOf(
  context('alias-of-2', { cluster: 'uid of context-2', server: 'https://two.example' }),
  context('context-1'),
  context('context-2', { server: 'https://two.example' }),
  context('down', { unreachableSince: Date.UTC(2026, 10, 23, 9, 30) }),
  context('fresh', { cluster: 'url:https://fresh.example', identified: false, settling: true }),
  context('home', { isSource: true }),
  context('into-system', { namespace: 'kube-public' }),
  context('unusable', { cluster: 'unknown', identified: false, problem: 'its user "x" does not exist' }),
);

export const circumstances: ReviewCircumstances = {
  keys,
  ownNamespace: 'context-syncer',
  contexts: { catalog },
};

/** An object with this list; undefined: without the annotation. */
export function annotated(
  list: string | undefined,
  more: Readonly<Record<string, string>> = {},
): ReviewedObject {
  return {
    metadata: {
      name: 'omni',
      namespace: 'demo',
      annotations: { ...more, ...(list === undefined ? {} : { [keys.syncContexts]: list }) },
    },
  };
}

export function request(more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: 'u-1',
    kind: { group: '', version: 'v1', kind: 'ConfigMap' },
    operation: 'CREATE',
    name: 'omni',
    namespace: 'demo',
    object: annotated('context-1'),
    oldObject: null,
    ...more,
  };
}

export function bodyOf(one: AdmissionRequest): string {
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: one });
}

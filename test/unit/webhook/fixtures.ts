import type { AdmissionRequest, ReviewedObject } from '../../../webhook/admission-review.ts';
import { Judgements } from '../../../webhook/judgements.ts';
import type { ReviewCircumstances } from '../../../webhook/review.ts';
import { aCatalog, aContext, keys, ownNamespace } from '../fakes/circumstances.ts';

export { keys } from '../fakes/circumstances.ts';

/** Two plain targets, an alias of the second, the source, and one of each that is out of the ordinary; sorted by name. */
export const catalog = aCatalog(
  aContext('alias-of-2', { cluster: 'cluster-context-2', server: 'https://two.example' }),
  aContext('context-1'),
  aContext('context-2', { server: 'https://two.example' }),
  aContext('down', { unreachableSince: Date.UTC(2026, 10, 23, 9, 30) }),
  aContext('fresh', { cluster: 'url:https://fresh.example', identified: false, settling: true }),
  aContext('home', { isSource: true }),
  aContext('into-system', { namespace: 'kube-public' }),
  aContext('unusable', { cluster: 'unknown', identified: false, problem: 'its user "x" does not exist' }),
);

export const circumstances: ReviewCircumstances = {
  keys,
  ownNamespace,
  contexts: { catalog },
  judgements: new Judgements(),
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

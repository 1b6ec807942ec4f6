const annotation = 'kubed.appscode.com/sync-contexts';

/** Contexts that there are, and one that there is not. */
const lists = { accepted: 'production-1,production-2', refused: 'production-x' } as const;

export type Verdict = keyof typeof lists;
export const verdicts = ['accepted', 'refused'] as const;

/** An AdmissionReview of so many bytes, as an API server sends it. */
export function reviewBody(verdict: Verdict, bytes: number): string {
  const review = (padding: string): string =>
    JSON.stringify({
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: {
        uid: 'ae4a2f4e-8b3c-4b0e-9d6c-6d5f6f0c2f10',
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        operation: 'CREATE',
        name: 'omni',
        namespace: 'demo',
        object: {
          metadata: { name: 'omni', namespace: 'demo', annotations: { [annotation]: lists[verdict] } },
          data: { padding },
        },
        oldObject: null,
      },
    });
  return review('x'.repeat(bytes - review('').length));
}

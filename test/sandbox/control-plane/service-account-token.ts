import type { Requester } from './requester.ts';

/** An hour: longer than any test, and what most clusters allow at most. */
const expirationSeconds = 3600;
const conflict = 409;

/** A token of a ServiceAccount by TokenRequest; makes the ServiceAccount if it is not there. */
export async function serviceAccountToken(
  requester: Requester,
  namespace: string,
  name: string,
): Promise<string> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const made = await requester.request(
    'POST',
    accounts,
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } },
    { allowFailure: true },
  );
  if (made.status >= 400 && made.status !== conflict) {
    throw new Error(`cannot make ServiceAccount ${namespace}/${name}: ${JSON.stringify(made.body)}`);
  }
  const answer = await requester.request<{ status: { token: string } }>('POST', `${accounts}/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds },
  });
  return answer.body.status.token;
}

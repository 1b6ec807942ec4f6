import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';

export type Subject =
  | { readonly kind: 'User' | 'Group'; readonly name: string }
  | { readonly kind: 'ServiceAccount'; readonly namespace: string; readonly name: string };

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** What a context's user needs in a namespace, the reading of the namespace itself apart. */
export const copyRights: Rule = {
  apiGroups: [''],
  resources: ['configmaps', 'secrets'],
  verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
};

/** Lets the user of a context see which cluster this is. */
export const namespaceRights: Rule = { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] };

const group = 'rbac.authorization.k8s.io';

/** A Role `name` with these rules in the namespace, bound to the subject. */
export async function grantIn(
  place: ControlPlane,
  namespace: string,
  name: string,
  subject: Subject,
  rules: readonly Rule[],
): Promise<void> {
  const root = `/apis/${group}/v1/namespaces/${namespace}`;
  await place.request('POST', `${root}/roles`, { metadata: { name }, rules });
  await place.request('POST', `${root}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'Role', name },
    subjects: [subject],
  });
}

/** A ClusterRole `name` with these rules, bound to the subject everywhere. */
export async function grantEverywhere(
  place: ControlPlane,
  name: string,
  subject: Subject,
  rules: readonly Rule[],
): Promise<void> {
  const root = `/apis/${group}/v1`;
  await place.request('POST', `${root}/clusterroles`, { metadata: { name }, rules });
  await place.request('POST', `${root}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name },
    subjects: [subject],
  });
}

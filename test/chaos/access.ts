import { copyRights, grantEverywhere, namespaceRights, type Rule } from '../harness/rbac.ts';
import type { ControlPlane, TokenUser } from '../sandbox/sandbox.ts';
import { send } from './api-object.ts';
import { ownNamespace } from './slots.ts';

const group = 'syncers';
const roleName = 'syncer';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
/** Names of users that are controllers begin with this. */
export const userPrefix = 'syncer-';

/** Each controller has two users, so that its token can be rotated; the audit log tells who wrote. */
export const users: readonly TokenUser[] = [0, 1].flatMap((controller) =>
  [0, 1].map((generation) => ({ name: userOf(controller, generation), groups: [group] })),
);

export function userOf(controller: number, generation: number): string {
  return `${userPrefix}${controller}-${generation}`;
}

const sourceRights: readonly Rule[] = [
  { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['get', 'list', 'watch'] },
  namespaceRights,
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
];
const ownRights: readonly Rule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'update'] },
];

/** What the README grants, on the source or on a target. */
export async function grantRights(cluster: ControlPlane, isSource: boolean): Promise<void> {
  const subject = { kind: 'Group', name: group } as const;
  await grantEverywhere(cluster, roleName, subject, isSource ? sourceRights : [copyRights, namespaceRights]);
  if (isSource) {
    const own = `${rbac}/namespaces/${ownNamespace}`;
    await send(cluster, 'POST', `${own}/roles`, { metadata: { name: roleName }, rules: ownRights });
    await send(cluster, 'POST', `${own}/rolebindings`, {
      metadata: { name: roleName },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: roleName },
      subjects: [subject],
    });
  }
}

/** Takes all rights, the ones in the own namespace of the source apart. */
export async function takeRights(cluster: ControlPlane): Promise<void> {
  await send(cluster, 'DELETE', `${rbac}/clusterrolebindings/${roleName}`);
}

/** Gives them back. */
export async function giveRights(cluster: ControlPlane): Promise<void> {
  const { status } = await send(cluster, 'POST', `${rbac}/clusterrolebindings`, {
    metadata: { name: roleName },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: roleName },
    subjects: [{ kind: 'Group', name: group }],
  });
  if (status !== 201 && status !== 409) {
    throw new Error(`rights on ${cluster.name} were not given back: ${status}`);
  }
}

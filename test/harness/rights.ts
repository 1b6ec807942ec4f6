import { readFile } from 'node:fs/promises';
import { trustedJson } from '../sandbox/json.ts';
import type { ControlPlane } from '../sandbox/sandbox.ts';

/** What RBAC decides about: one verb on one resource, for one name or all (undefined), in one namespace or all. */
export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name: string | undefined;
  readonly namespace: string | undefined;
}

/** A right that a role gives: the smallest piece of one of its rules. */
export interface Grant extends Right {
  /** `Role context-syncer/x` or `ClusterRole x`. */
  readonly role: string;
}

/** What an account did, as the API server's audit log has it. */
export interface Uses {
  readonly allowed: readonly Right[];
  readonly forbidden: readonly Right[];
}

export interface Account {
  readonly namespace: string;
  readonly name: string;
}

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface RbacObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[] | null;
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly {
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
  }[];
}

/** Everything that bindings on the API server grant to the ServiceAccount itself, piece by piece. */
export async function grantsOf(place: ControlPlane, account: Account): Promise<readonly Grant[]> {
  const { stdout } = await place.kubectl([
    'get',
    'roles,clusterroles,rolebindings,clusterrolebindings',
    '--all-namespaces',
    '--output=json',
  ]);
  const { items } = trustedJson<{ items: readonly RbacObject[] }>(stdout);
  const bindings = items.filter(({ subjects = [] }) =>
    subjects.some(
      ({ kind, namespace, name }) =>
        kind === 'ServiceAccount' && namespace === account.namespace && name === account.name,
    ),
  );
  return bindings.flatMap(({ roleRef, metadata: { namespace } }) => {
    const role = items.find(
      (item) =>
        item.kind === roleRef?.kind &&
        item.metadata.name === roleRef.name &&
        (item.kind === 'ClusterRole' || item.metadata.namespace === namespace),
    );
    if (role === undefined) {
      throw new Error(`a binding of ${account.name} names a role that does not exist: ${roleRef?.name}`);
    }
    const where = role.metadata.namespace === undefined ? '' : `${role.metadata.namespace}/`;
    return (role.rules ?? []).flatMap((rule) =>
      piecesOf(rule, namespace).map((right) => ({
        ...right,
        role: `${role.kind} ${where}${role.metadata.name}`,
      })),
    );
  });
}

function piecesOf(rule: Rule, namespace: string | undefined): readonly Right[] {
  const names = rule.resourceNames ?? [undefined];
  return (rule.apiGroups ?? []).flatMap((group) =>
    (rule.resources ?? []).flatMap((resource) =>
      names.flatMap((name) => rule.verbs.map((verb) => ({ verb, group, resource, name, namespace }))),
    ),
  );
}

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly requestURI: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** How many lines the audit log has now: where to read on later. */
export async function auditPosition(place: ControlPlane): Promise<number> {
  return (await auditLines(place)).length;
}

/** What the ServiceAccount asked of the API server since `position`. Paths without a resource, such as /version, do not count. */
export async function usesOf(place: ControlPlane, account: Account, position = 0): Promise<Uses> {
  const username = `system:serviceaccount:${account.namespace}:${account.name}`;
  const allowed = new Map<string, Right>();
  const forbidden = new Map<string, Right>();
  for (const line of (await auditLines(place)).slice(position)) {
    const { user, verb, objectRef, annotations } = trustedJson<AuditEvent>(line);
    if (user.username === username && objectRef !== undefined) {
      const { apiGroup = '', resource, subresource, namespace, name } = objectRef;
      const right = {
        verb,
        group: apiGroup,
        resource: subresource === undefined ? resource : `${resource}/${subresource}`,
        // RBAC does not know the name of what is created; the log may have it from the body.
        name: verb === 'create' ? undefined : name,
        namespace,
      };
      const granted = annotations?.['authorization.k8s.io/decision'] === 'allow';
      (granted ? allowed : forbidden).set(describeRight(right), right);
    }
  }
  return { allowed: [...allowed.values()], forbidden: [...forbidden.values()] };
}

async function auditLines(place: ControlPlane): Promise<readonly string[]> {
  const text = await readFile(place.auditLogFile, 'utf8');
  // What follows the last line break is half written.
  return text.split('\n').slice(0, -1);
}

/**
 * What keeps the rights of an account from being exactly those that it used, as sentences: a use that none of them
 * allows, one that could be taken away without anybody noticing, one that reaches farther than it needs to.
 */
export function inexactRights(grants: readonly Grant[], uses: Uses): readonly string[] {
  const covering = uses.allowed.map((use) => ({
    use,
    grants: grants.filter((grant) => covers(grant, use)),
  }));
  return [
    ...uses.forbidden.map((use) => `${describeRight(use)}: was forbidden, no role grants it`),
    ...covering
      .filter((one) => one.grants.length === 0)
      .map(({ use }) => `${describeRight(use)}: was used, but by no right of the account's own roles`),
    ...grants.flatMap((grant) => {
      const only = covering.filter((one) => one.grants.length === 1 && one.grants[0] === grant);
      const problem = excessOf(
        grant,
        only.map(({ use }) => use),
      );
      return problem === undefined ? [] : [`${grant.role}: ${describeRight(grant)}: ${problem}`];
    }),
  ];
}

function covers(grant: Grant, use: Right): boolean {
  return (
    grant.verb === use.verb &&
    grant.group === use.group &&
    grant.resource === use.resource &&
    (grant.name === undefined || grant.name === use.name) &&
    (grant.namespace === undefined || grant.namespace === use.namespace)
  );
}

/** `uses` are those that nothing but this grant allowed. */
function excessOf(grant: Grant, uses: readonly Right[]): string | undefined {
  if (uses.length === 0) {
    return 'was granted, but nothing needed it';
  }
  const names = new Set(uses.map(({ name }) => name));
  const namespaces = new Set(uses.map(({ namespace }) => namespace));
  if (grant.namespace === undefined && !namespaces.has(undefined) && namespaces.size === 1) {
    return `was granted everywhere, but needed only in namespace ${[...namespaces].join()}`;
  }
  // A create cannot be granted by name, and a Role reaches no other Namespace object than its own.
  const cannotBeNamed =
    grant.verb === 'create' || (grant.resource === 'namespaces' && grant.namespace !== undefined);
  if (!cannotBeNamed && grant.name === undefined && !names.has(undefined) && names.size === 1) {
    return `was granted for every name, but needed only for ${[...names].join()}`;
  }
  return undefined;
}

/** `update coordination.k8s.io/leases "x" in context-syncer`. */
export function describeRight({ verb, group, resource, name, namespace }: Right): string {
  const full = group === '' ? resource : `${group}/${resource}`;
  const which = name === undefined ? '' : ` "${name}"`;
  return `${verb} ${full}${which}${namespace === undefined ? ' in all namespaces' : ` in ${namespace}`}`;
}

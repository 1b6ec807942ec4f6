/**
 * What a cluster says about who it is. Every part is optional: rights differ from context to context.
 */
export interface ClusterEvidence {
  /** Uid of the namespace kube-system: the one identity that every cluster has from its first to its last day. */
  readonly kubeSystemUid?: string | undefined;
  /** The context's own namespace and its uid: what a namespaced Role may read. */
  readonly namespace?: { readonly name: string; readonly uid: string } | undefined;
  /** True when its namespace has the uid that the namespace of that name has on the source cluster. */
  readonly sharesSourceNamespace?: boolean | undefined;
}

/** True where there is a uid by which the cluster can be distinguished from others, and from the source. */
export function isIdentity({ kubeSystemUid, namespace }: ClusterEvidence): boolean {
  return kubeSystemUid !== undefined || namespace !== undefined;
}

/** Something that may be one cluster with others: a context, or the source cluster itself. */
export interface ClusterMember {
  /** Where its connection leads, see `placeOf`; the server's URL alone where that is all that is known. */
  readonly place: string | undefined;
  /** Undefined while the cluster has never been reached. */
  readonly evidence: ClusterEvidence | undefined;
  readonly isSource?: boolean | undefined;
}

/**
 * Whether two members are one cluster. The strongest evidence that both have decides; the place only where there is
 * no other. An equal place does not outweigh different uids: a cluster can be made anew at its old address.
 */
export function isSameCluster(left: ClusterMember, right: ClusterMember): boolean {
  const [a, b] = [left.evidence, right.evidence];
  if (a?.kubeSystemUid !== undefined && b?.kubeSystemUid !== undefined) {
    return a.kubeSystemUid === b.kubeSystemUid;
  }
  const compared = left.isSource === true ? b?.sharesSourceNamespace : undefined;
  const comparedToo = right.isSource === true ? a?.sharesSourceNamespace : undefined;
  if (compared !== undefined || comparedToo !== undefined) {
    return compared ?? comparedToo ?? false;
  }
  if (a?.namespace !== undefined && b?.namespace !== undefined && a.namespace.name === b.namespace.name) {
    return a.namespace.uid === b.namespace.uid;
  }
  return left.place !== undefined && left.place === right.place;
}

/**
 * The name of a cluster in indexes and logs: its best evidence, hence different names for different clusters.
 * `fallback` names a cluster of which nothing at all is known.
 */
export function clusterId(members: readonly ClusterMember[], fallback: string): string {
  const candidates = [
    members.map(({ evidence }) => evidence?.kubeSystemUid),
    members.map(({ evidence }) => evidence?.namespace && namespaceId(evidence.namespace.uid)),
    members.map(({ place }) => place && `url:${place}`),
  ];
  for (const candidate of candidates) {
    const best = candidate
      .flatMap((id) => (id === undefined || id === '' ? [] : [id]))
      .toSorted(compareText)[0];
    if (best !== undefined) {
      return best;
    }
  }
  return `unknown:${fallback}`;
}

/** The name of a cluster of which no better evidence is known than a namespace. */
export function namespaceId(uid: string): string {
  return `namespace:${uid}`;
}

/**
 * Sorts members into clusters. Those that know the uid of kube-system found the groups; a weaker member joins the one
 * group that it is the same cluster as. One that fits several, so that it would make one of clusters that are not, joins
 * the source's group if that is among them (a copy too few is repaired, a written source is not), else none of them.
 * Weak members that fit no group are put together among themselves.
 */
export function groupByCluster<T extends ClusterMember>(members: readonly T[]): readonly (readonly T[])[] {
  const strong = new Map<string, T[]>();
  const weak: T[] = [];
  for (const member of members) {
    const uid = member.evidence?.kubeSystemUid;
    if (uid === undefined) {
      weak.push(member);
    } else {
      strong.set(uid, [...(strong.get(uid) ?? []), member]);
    }
  }
  const founded = [...strong.values()].map((founders): { founders: T[]; joined: T[] } => ({
    founders,
    joined: [],
  }));
  const alone: T[] = [];
  for (const member of weak) {
    const fitting = founded.filter(({ founders }) => founders.some((other) => isSameCluster(member, other)));
    const source = fitting.find(({ founders }) => founders.some(({ isSource }) => isSource === true));
    const home = source ?? (fitting.length === 1 ? fitting[0] : undefined);
    (home?.joined ?? alone).push(member);
  }
  return [...founded.map(({ founders, joined }) => [...founders, ...joined]), ...connected(alone)];
}

/** Groups in which being the same cluster is passed on from member to member. */
function connected<T extends ClusterMember>(members: readonly T[]): readonly (readonly T[])[] {
  let groups: readonly (readonly T[])[] = [];
  for (const member of members) {
    const own = groups.filter((group) => group.some((other) => isSameCluster(member, other)));
    groups = [...groups.filter((group) => !own.includes(group)), [...own.flat(), member]];
  }
  return groups;
}

/**
 * What is known after a further look at the same connection. A uid that could be read before and may not be read now
 * still holds while the cluster is recognisably the same, so that lost rights do not make another cluster of it.
 */
export function refined(known: ClusterEvidence | undefined, seen: ClusterEvidence): ClusterEvidence {
  const recognised = seen.namespace !== undefined && seen.namespace.uid === known?.namespace?.uid;
  return recognised && seen.kubeSystemUid === undefined
    ? { ...seen, kubeSystemUid: known?.kubeSystemUid }
    : seen;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

/**
 * What a cluster says about who it is. Every part is optional: rights differ from context to context.
 */
export interface ClusterEvidence {
  /** Uid of the namespace kube-system: the one identity that every cluster has from its first to its last day. */
  readonly kubeSystemUid?: string | undefined;
  /** The context's own namespace and its uid: what a namespaced Role may read. */
  readonly namespace?: { readonly name: string; readonly uid: string } | undefined;
  /** Hash of the cluster's certificate authority, as published to every namespace in kube-root-ca.crt. */
  readonly rootCaHash?: string | undefined;
  /** True when its namespace has the uid that the namespace of that name has on the source cluster. */
  readonly sharesSourceNamespace?: boolean | undefined;
}

/** True where there is anything at all by which the cluster can be told from others, and from the source. */
export function isIdentity({ kubeSystemUid, namespace, rootCaHash }: ClusterEvidence): boolean {
  return kubeSystemUid !== undefined || namespace !== undefined || rootCaHash !== undefined;
}

/** Something that may be one cluster with others: a context, or the source cluster itself. */
export interface ClusterMember {
  /** Normalised URL of the API server. */
  readonly server: string | undefined;
  /** Undefined while the cluster has never been reached. */
  readonly evidence: ClusterEvidence | undefined;
}

/**
 * Whether two members are one cluster. The strongest evidence that both have decides; the URL only where there is no
 * other. An equal URL does not outweigh different uids: a cluster can be made anew under its old address.
 */
export function isSameCluster(left: ClusterMember, right: ClusterMember): boolean {
  const [a, b] = [left.evidence, right.evidence];
  if (a?.kubeSystemUid !== undefined && b?.kubeSystemUid !== undefined) {
    return a.kubeSystemUid === b.kubeSystemUid;
  }
  if (a?.namespace !== undefined && b?.namespace !== undefined && a.namespace.name === b.namespace.name) {
    return a.namespace.uid === b.namespace.uid;
  }
  if (a?.rootCaHash !== undefined && a.rootCaHash === b?.rootCaHash) {
    return true;
  }
  return left.server !== undefined && left.server === right.server;
}

/** The name of a cluster in indexes and logs: its best evidence. */
export function clusterId(members: readonly ClusterMember[]): string {
  const candidates = [
    members.map(({ evidence }) => evidence?.kubeSystemUid),
    members.map(({ evidence }) => evidence?.rootCaHash && `root-ca:${evidence.rootCaHash}`),
    members.map(({ evidence }) => evidence?.namespace && `namespace:${evidence.namespace.uid}`),
    members.map(({ server }) => server && `url:${server}`),
  ];
  for (const candidate of candidates) {
    const best = candidate
      .flatMap((id) => (id === undefined || id === '' ? [] : [id]))
      .toSorted(compareText)[0];
    if (best !== undefined) {
      return best;
    }
  }
  return 'unknown';
}

/** Sorts members into clusters: being one cluster is passed on from member to member. */
export function groupByCluster<T extends ClusterMember>(members: readonly T[]): readonly (readonly T[])[] {
  let groups: readonly (readonly T[])[] = [];
  for (const member of members) {
    const own = groups.filter((group) => group.some((other) => isSameCluster(member, other)));
    groups = [...groups.filter((group) => !own.includes(group)), [...own.flat(), member]];
  }
  return groups;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

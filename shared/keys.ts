/** The annotation and label keys of one prefix (`kubed.appscode.com` unless configured otherwise). */
export interface Keys {
  readonly prefix: string;
  /** Annotation on the source: a comma list of kubeconfig context names. */
  readonly syncContexts: string;
  /** Annotation on the copy: JSON that identifies the source. The only thing that confers ownership. */
  readonly origin: string;
  /** Labels on the copy, for people and selectors; shortened where a value is too long for a label. */
  readonly originName: string;
  readonly originNamespace: string;
  readonly originCluster: string;
  /** Annotation on the catalog ConfigMap: the name of a trip of the mass-deletion guard that an operator releases. */
  readonly releaseDeletions: string;
  /** Annotation on Leases: how many shards there are; absent for one. */
  readonly shards: string;
  /** Annotation on Leases: the replica that asks its holder to pass it on. */
  readonly wantedBy: string;
  /** Annotation of Kubed for copies within one cluster, which are not made here. */
  readonly sync: string;
}

export function keysOf(prefix: string): Keys {
  return {
    prefix,
    syncContexts: `${prefix}/sync-contexts`,
    origin: `${prefix}/origin`,
    originName: `${prefix}/origin.name`,
    originNamespace: `${prefix}/origin.namespace`,
    originCluster: `${prefix}/origin.cluster`,
    releaseDeletions: `${prefix}/release-deletions`,
    shards: `${prefix}/shards`,
    wantedBy: `${prefix}/wanted-by`,
    sync: `${prefix}/sync`,
  };
}

/** True for every key under the prefix, also those of features that this version does not know. */
export function isOwnKey(keys: Keys, key: string): boolean {
  return key.startsWith(`${keys.prefix}/`);
}

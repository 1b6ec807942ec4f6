import type { Keys } from '../../shared/keys.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import { isCopy } from '../../shared/rules/copy-mark.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';

/** What is remembered of an annotated object on the source cluster: metadata only, no payload. */
export interface SourceRecord {
  readonly kind: SyncedKindName;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  /** The raw value of the sync-contexts annotation. */
  readonly syncContexts: string;
  /** True when it is a copy itself. */
  readonly isCopy: boolean;
}

/** `Kind/namespace/name`. */
export type SourceKey = string;

export function sourceKey(ref: {
  readonly kind: SyncedKindName;
  readonly namespace: string;
  readonly name: string;
}): SourceKey {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** The record of an annotated object; undefined for every other object. */
export function sourceRecordOf(
  kind: SyncedKindName,
  object: KubeObject,
  keys: Keys,
): SourceRecord | undefined {
  const { metadata } = object;
  const syncContexts = metadata.annotations?.[keys.syncContexts];
  if (syncContexts === undefined || metadata.namespace === undefined) {
    return undefined;
  }
  return {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    creationTimestamp: metadata.creationTimestamp ?? '',
    syncContexts,
    isCopy: isCopy(metadata, keys),
  };
}

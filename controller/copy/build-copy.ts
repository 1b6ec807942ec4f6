import type { Keys } from '../../shared/keys.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import { apiVersion } from '../../shared/kube/resource.ts';
import type { SyncedKind } from '../../shared/synced-kind.ts';
import type { Content } from './content.ts';
import type { CopyRecord } from './copy-record.ts';
import { formatOrigin, originLabels, type SourceCluster } from './origin.ts';
import { withSeal } from './seal.ts';
import type { TargetRef } from './target-ref.ts';

/** A source's content, with what identifies the version it was read at. */
export interface SourceContent {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly content: Content;
  readonly stamp: string;
}

export interface CopyPlan {
  readonly kind: SyncedKind;
  readonly target: TargetRef;
  readonly source: SourceContent;
  readonly context: string;
  readonly keys: Keys;
  readonly cluster: SourceCluster;
  readonly stampKey: Buffer;
}

/**
 * The object to write: the source's content and our marks; on top of what others added to the standing copy, when
 * there is one, at the version that was seen of it.
 */
export function buildCopy(plan: CopyPlan, observed?: CopyRecord): PayloadObject {
  const { kind, target, source, keys, cluster, stampKey } = plan;
  const { content } = source;
  const additions = observed?.additions;
  const origin = formatOrigin({
    namespace: source.namespace,
    name: source.name,
    uid: source.uid,
    resourceVersion: source.resourceVersion,
    clusterUID: cluster.uid,
    copy: { namespace: target.namespace, name: target.name },
    context: plan.context,
    stamp: source.stamp,
    labels: Object.keys(content.labels),
    annotations: Object.keys(content.annotations),
  });
  return {
    apiVersion: apiVersion(kind.resource),
    kind: kind.name,
    metadata: {
      name: target.name,
      namespace: target.namespace,
      ...(observed === undefined ? {} : { uid: observed.uid, resourceVersion: observed.resourceVersion }),
      labels: { ...additions?.labels, ...content.labels, ...originLabels(keys, source, cluster.name) },
      annotations: {
        ...additions?.annotations,
        ...content.annotations,
        [keys.origin]: withSeal(stampKey, kind.name, origin),
      },
      ...(additions === undefined || additions.finalizers.length === 0
        ? {}
        : { finalizers: additions.finalizers }),
      ...(additions === undefined || additions.ownerReferences.length === 0
        ? {}
        : { ownerReferences: additions.ownerReferences }),
    },
    ...(content.data === undefined ? {} : { data: content.data }),
    ...(content.binaryData === undefined ? {} : { binaryData: content.binaryData }),
    ...(content.type === undefined ? {} : { type: content.type }),
    ...(content.immutable ? { immutable: true } : {}),
  };
}

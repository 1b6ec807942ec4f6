import { isRecord } from '../../shared/is-record.ts';
import type { Keys } from '../../shared/keys.ts';
import type { ObjectMeta } from '../../shared/kube/object.ts';
import { toLabelValue } from '../../shared/label-value.ts';

/** Identity of a copy's source, as the origin annotation records it. */
export interface Origin {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Version of the source whose content the copy was last given. */
  readonly resourceVersion: string;
  /** Identity of the source's cluster. Absent on copies that Kubed made. */
  readonly clusterUID?: string;
  /** The context by way of which the copy was made. */
  readonly context?: string;
  /** Keyed hash of the content that the copy was given (see `contentStamp`). */
  readonly stamp?: string;
  /** Keys of the labels and annotations that the source gave, so that those it takes back can go. */
  readonly labels?: readonly string[];
  readonly annotations?: readonly string[];
}

/** The annotation's text: Kubed's four fields first and in its order, then ours. */
export function formatOrigin(origin: Origin): string {
  return JSON.stringify({
    namespace: origin.namespace,
    name: origin.name,
    uid: origin.uid,
    resourceVersion: origin.resourceVersion,
    clusterUID: origin.clusterUID,
    context: origin.context,
    stamp: origin.stamp,
    labels: origin.labels,
    annotations: origin.annotations,
  });
}

/**
 * Reads an origin annotation. Undefined for anything that does not name a source: such an object is not a copy.
 * Unknown fields are ignored, so that versions of this program can be mixed.
 */
export function parseOrigin(text: string | undefined): Origin | undefined {
  if (text === undefined) {
    return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) {
    return undefined;
  }
  const { namespace, name, uid, resourceVersion, clusterUID, context, stamp, labels, annotations } = value;
  if (!isFilled(namespace) || !isFilled(name)) {
    return undefined;
  }
  return {
    namespace,
    name,
    uid: isFilled(uid) ? uid : '',
    resourceVersion: isFilled(resourceVersion) ? resourceVersion : '',
    ...(isFilled(clusterUID) ? { clusterUID } : {}),
    ...(isFilled(context) ? { context } : {}),
    ...(isFilled(stamp) ? { stamp } : {}),
    ...(isNames(labels) ? { labels } : {}),
    ...(isNames(annotations) ? { annotations } : {}),
  };
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

/** The origin labels of a copy: for people and selectors; they confer nothing. */
export function originLabels(
  keys: Keys,
  source: { readonly namespace: string; readonly name: string },
  clusterName: string,
): Readonly<Record<string, string>> {
  return {
    [keys.originName]: toLabelValue(source.name),
    [keys.originNamespace]: toLabelValue(source.namespace),
    [keys.originCluster]: toLabelValue(clusterName),
  };
}

/** Who we are, for the question whose copy an object is. */
export interface SourceCluster {
  readonly uid: string;
  readonly name: string;
}

/**
 * Whose an object on a target is.
 * - `ours`: its origin annotation names our source cluster by uid.
 * - `kubed`: its origin annotation has no cluster uid (Kubed wrote it) and the cluster label is our name.
 * - `foreign`: anything else, whatever labels it carries. Copies bear their source's name: under another name it is a
 *   clone that somebody made of a copy, marks and all, and it is theirs.
 */
export type Ownership = 'ours' | 'kubed' | 'foreign';

export function ownershipOf(
  meta: ObjectMeta,
  origin: Origin | undefined,
  keys: Keys,
  cluster: SourceCluster,
): Ownership {
  if (origin === undefined || origin.name !== meta.name) {
    return 'foreign';
  }
  if (origin.clusterUID !== undefined) {
    return origin.clusterUID === cluster.uid ? 'ours' : 'foreign';
  }
  return meta.labels?.[keys.originCluster] === toLabelValue(cluster.name) ? 'kubed' : 'foreign';
}

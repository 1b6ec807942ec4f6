import { createHash } from 'node:crypto';
import { isRecord } from '../../shared/is-record.ts';
import type { Keys } from '../../shared/keys.ts';
import type { ObjectMeta } from '../../shared/kube/object.ts';

/** Identity of a copy's source, as the origin annotation records it. */
export interface Origin {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Version of the source whose content the copy was last given. */
  readonly resourceVersion: string;
  /** Identity of the source's cluster. Absent on copies that Kubed made. */
  readonly clusterUID?: string;
  /** The copy's own place: elsewhere, the annotation is on a clone. Absent on copies that 0.1 and Kubed made. */
  readonly copy?: { readonly namespace: string; readonly name: string };
  /** The context through which the copy was made. */
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
    copy: origin.copy,
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
  const { namespace, name, uid, resourceVersion, clusterUID, copy, context, stamp, labels, annotations } =
    value;
  if (!isFilled(namespace) || !isFilled(name)) {
    return undefined;
  }
  return {
    namespace,
    name,
    uid: isFilled(uid) ? uid : '',
    resourceVersion: isFilled(resourceVersion) ? resourceVersion : '',
    ...(isFilled(clusterUID) ? { clusterUID } : {}),
    ...(isPlace(copy) ? { copy: { namespace: copy.namespace, name: copy.name } } : {}),
    ...(isFilled(context) ? { context } : {}),
    ...(isFilled(stamp) ? { stamp } : {}),
    ...(isNames(labels) ? { labels } : {}),
    ...(isNames(annotations) ? { annotations } : {}),
  };
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isPlace(value: unknown): value is { readonly namespace: string; readonly name: string } {
  return isRecord(value) && isFilled(value['namespace']) && isFilled(value['name']);
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
  /** Uid of the cluster whose copies an operator wants taken over. */
  readonly takeOverFromUid?: string | undefined;
}

/**
 * Whose an object on a target is.
 * - `ours`: its origin annotation names our source cluster by uid.
 * - `adoptable`: its origin annotation has no cluster uid (Kubed wrote it) and the cluster label is our name, or it names
 *   the cluster to take over from. It is taken over in place when a source claims it, and never deleted.
 * - `foreign`: anything else, whatever labels it carries. A copy has its source's name and is at the place that its
 *   origin records: elsewhere it is a clone that somebody made of a copy, marks and all, and it is theirs.
 */
export type Ownership = 'ours' | 'adoptable' | 'foreign';

export function ownershipOf(
  meta: ObjectMeta,
  origin: Origin | undefined,
  keys: Keys,
  cluster: SourceCluster,
): Ownership {
  if (origin === undefined || origin.name !== meta.name || isClone(meta, origin)) {
    return 'foreign';
  }
  if (origin.clusterUID === cluster.uid) {
    return 'ours';
  }
  const isAdoptable =
    origin.clusterUID === undefined
      ? meta.labels?.[keys.originCluster] === toLabelValue(cluster.name)
      : origin.clusterUID === cluster.takeOverFromUid;
  return isAdoptable ? 'adoptable' : 'foreign';
}

function isClone({ namespace, name }: ObjectMeta, { copy }: Origin): boolean {
  return copy !== undefined && (copy.namespace !== namespace || copy.name !== name);
}

/** The uid of another source cluster with our name whose copy the object is; undefined for anything else. */
export function otherSourceOf(meta: ObjectMeta, keys: Keys, cluster: SourceCluster): string | undefined {
  const origin = parseOrigin(meta.annotations?.[keys.origin]);
  const isForeign = ownershipOf(meta, origin, keys, cluster) === 'foreign';
  const hasOurName = meta.labels?.[keys.originCluster] === toLabelValue(cluster.name);
  const uid = origin?.clusterUID;
  return isForeign && hasOurName && uid !== cluster.uid ? uid : undefined;
}

/** The longest label value that Kubernetes accepts, in characters. */
const maxLabelValue = 63;
const hashLength = 10;

/**
 * A label value for `text`: itself while it fits, else its beginning and a hash of the whole, so that two long
 * names that begin alike stay apart. `text` must consist of characters that a label value may hold.
 */
export function toLabelValue(text: string): string {
  if (text.length <= maxLabelValue) {
    return text;
  }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, hashLength);
  return `${text.slice(0, maxLabelValue - hashLength - 1)}-${hash}`;
}

import type { Keys } from '../../shared/keys.ts';
import type { ObjectMeta, PayloadObject } from '../../shared/kube/object.ts';
import type { SyncedKind, SyncedKindName } from '../../shared/synced-kind.ts';
import { contentOfCopy, contentStamp, isLastApplied } from './content.ts';
import {
  type Origin,
  type Ownership,
  originLabels,
  ownershipOf,
  parseOrigin,
  type SourceCluster,
} from './origin.ts';
import type { OriginPool } from './origin-pool.ts';
import { isSealed } from './seal.ts';

/** Labels, annotations and the like that neither the source nor we put on a copy. They are left as they are. */
export interface Additions {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  readonly ownerReferences: readonly unknown[];
}

/** What is remembered of an origin. It is the same for all copies of a version of a source, which share one object. */
export type RecordedOrigin = Pick<Origin, 'namespace' | 'name' | 'uid' | 'resourceVersion' | 'stamp'>;

/**
 * What is remembered of an object on a target: identity and verdicts, no payload. There is one for every copy, so its
 * size counts.
 */
export interface CopyRecord {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly ownership: Ownership;
  readonly origin: RecordedOrigin | undefined;
  /** The context through which it was made. */
  readonly context: string | undefined;
  /** Its origin records this place as its own. Copies of 0.1 and of Kubed record none. */
  readonly placed: boolean;
  /** Its origin is certainly written by us. Copies of 0.1 and of Kubed have no seal, and a lost key makes others of no seal, too. */
  readonly sealed: boolean;
  /** Our labels are on it with their right values. */
  readonly labelled: boolean;
  /** Stamp of its content (see `contentStamp`); undefined while only metadata was seen. */
  readonly stamp: string | undefined;
  /** It was in a first list of metadata, and its content is going to be read in the background. */
  readonly unverified: boolean;
  /** Version of the source whose content it was found equal to; undefined where that was not compared. */
  readonly inSyncWith: string | undefined;
  /** It is being deleted, and finalizers hold it. */
  readonly terminating: boolean;
  /** Number of the answer to a request of ours that it is from; 0: from a list or an event. */
  readonly answer: number;
  /** Undefined where nobody added anything, which is nearly always. */
  readonly additions: Additions | undefined;
}

/** What reading an object on a target depends on. */
export interface CopyReading {
  readonly keys: Keys;
  readonly cluster: SourceCluster;
  readonly stampKey: Buffer;
  readonly origins: OriginPool;
}

/** The record of an object that was read whole. */
export function recordOfObject(kind: SyncedKind, object: PayloadObject, reading: CopyReading): CopyRecord {
  const given = parseOrigin(object.metadata.annotations?.[reading.keys.origin]) ?? {};
  const record = recordOfMetadata(kind.name, object.metadata, reading);
  const stamp = contentStamp(reading.stampKey, contentOfCopy(kind, object, given));
  // An equal text of its own would take its place in memory once more.
  return { ...record, stamp: stamp === record.origin?.stamp ? record.origin.stamp : stamp };
}

/** True when what is there is what the origin says was given, so that it need not be compared with the source. */
export function isIntact(record: CopyRecord): boolean {
  return record.stamp !== undefined && record.stamp === record.origin?.stamp;
}

/** The record of an object of which only metadata was seen. */
export function recordOfMetadata(
  kind: SyncedKindName,
  meta: ObjectMeta,
  { keys, cluster, origins, stampKey }: CopyReading,
): CopyRecord {
  const text = meta.annotations?.[keys.origin];
  const origin = parseOrigin(text);
  const ownership = ownershipOf(meta, origin, keys, cluster);
  return {
    uid: meta.uid ?? '',
    resourceVersion: meta.resourceVersion ?? '',
    ownership,
    origin: origin === undefined ? undefined : origins.share(origin),
    context: origin?.context === undefined ? undefined : origins.name(origin.context),
    placed: origin?.copy !== undefined,
    sealed: text !== undefined && ownership === 'ours' && isSealed(stampKey, kind, text),
    labelled: origin !== undefined && hasOriginLabels(meta, origin, keys, cluster),
    stamp: undefined,
    unverified: false,
    inSyncWith: undefined,
    terminating: meta.deletionTimestamp !== undefined,
    answer: 0,
    additions: ownership === 'foreign' ? undefined : additionsOf(meta, origin, ownership, keys),
  };
}

function hasOriginLabels(meta: ObjectMeta, origin: Origin, keys: Keys, cluster: SourceCluster): boolean {
  return Object.entries(originLabels(keys, origin, cluster.name)).every(
    ([key, value]) => meta.labels?.[key] === value,
  );
}

function additionsOf(
  meta: ObjectMeta,
  origin: Origin | undefined,
  ownership: Ownership,
  keys: Keys,
): Additions | undefined {
  const givenLabels = new Set([
    ...(origin?.labels ?? []),
    keys.originName,
    keys.originNamespace,
    keys.originCluster,
  ]);
  const givenAnnotations = new Set([...(origin?.annotations ?? []), keys.origin]);
  // Kubed copied last-applied-configuration, a Secret's payload in it: that one is not kept as somebody's addition.
  const byKubed = ownership === 'adoptable' && origin?.clusterUID === undefined;
  const leaked = (key: string): boolean => byKubed && isLastApplied(key);
  const labels = Object.entries(meta.labels ?? {}).filter(([key]) => !givenLabels.has(key));
  const annotations = Object.entries(meta.annotations ?? {}).filter(
    ([key]) => !givenAnnotations.has(key) && !leaked(key),
  );
  const finalizers = meta.finalizers ?? [];
  const ownerReferences = meta.ownerReferences ?? [];
  if (labels.length + annotations.length + finalizers.length + ownerReferences.length === 0) {
    return undefined;
  }
  return {
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
    finalizers,
    ownerReferences,
  };
}

import { createHmac } from 'node:crypto';
import { isOwnKey, type Keys } from '../../shared/keys.ts';
import type { PayloadObject } from '../../shared/kube/object.ts';
import type { SyncedKind } from '../../shared/synced-kind.ts';

type StringMap = Readonly<Record<string, string>>;

/** What travels from a source to its copies, and nothing else does. */
export interface Content {
  readonly data: StringMap | undefined;
  readonly binaryData: StringMap | undefined;
  readonly type: string | undefined;
  readonly immutable: boolean;
  /** Labels and annotations that the source gives. */
  readonly labels: StringMap;
  readonly annotations: StringMap;
}

/** The content that a source gives to its copies. */
export function contentOfSource(kind: SyncedKind, source: PayloadObject, keys: Keys): Content {
  return {
    data: source.data,
    binaryData: source.binaryData,
    type: kind.defaultType === undefined ? undefined : (source.type ?? kind.defaultType),
    immutable: source.immutable === true,
    labels: without(
      source.metadata.labels,
      (key, value) => isOwnKey(keys, key) || isOwnershipLabel(key, value),
    ),
    annotations: without(
      source.metadata.annotations,
      (key) => isOwnKey(keys, key) || isLastApplied(key) || isOwnershipAnnotation(key),
    ),
  };
}

/** The same view of a copy: of its labels and annotations only those that its source gave. */
export function contentOfCopy(
  kind: SyncedKind,
  copy: PayloadObject,
  given: { readonly labels?: readonly string[]; readonly annotations?: readonly string[] },
): Content {
  return {
    data: copy.data,
    binaryData: copy.binaryData,
    type: kind.defaultType === undefined ? undefined : (copy.type ?? kind.defaultType),
    immutable: copy.immutable === true,
    labels: only(copy.metadata.labels, given.labels ?? []),
    annotations: only(copy.metadata.annotations, given.annotations ?? []),
  };
}

/** `kubectl apply` keeps the whole object in this annotation, the payload of Secrets included: it never travels. */
export function isLastApplied(key: string): boolean {
  return key === 'kubectl.kubernetes.io/last-applied-configuration';
}

/**
 * Marks by which Argo CD, Flux and Helm recognise what they manage. On a copy they would make the tool of the
 * target cluster adopt or prune it.
 */
const ownershipPrefixes = [
  'argocd.argoproj.io/',
  'kustomize.toolkit.fluxcd.io/',
  'helm.toolkit.fluxcd.io/',
  'meta.helm.sh/',
];

export function isOwnershipAnnotation(key: string): boolean {
  return ownershipPrefixes.some((prefix) => key.startsWith(prefix));
}

/** `app.kubernetes.io/instance` is how Argo CD tracks by default before its version 3. */
export function isOwnershipLabel(key: string, value: string): boolean {
  return (
    isOwnershipAnnotation(key) ||
    key === 'app.kubernetes.io/instance' ||
    (key === 'app.kubernetes.io/managed-by' && value === 'Helm')
  );
}

/**
 * A keyed hash of a content (128 bits, base64url): equal contents have equal stamps, and a reader of one on a copy
 * cannot try guesses of a Secret's values against it without the key. Absent and empty maps are equal, as they are
 * to an API server.
 */
export function contentStamp(key: Buffer, content: Content): string {
  const hmac = createHmac('sha256', key);
  const put = (text: string): void => {
    // The length in front keeps ("ab", "c") and ("a", "bc") apart.
    hmac.update(`${text.length}:`);
    hmac.update(text);
  };
  const putMap = (name: string, map: StringMap | undefined): void => {
    const entries = Object.keys(map ?? {}).sort();
    put(`${name}#${entries.length}`);
    for (const entry of entries) {
      put(entry);
      put(map?.[entry] ?? '');
    }
  };
  putMap('data', content.data);
  putMap('binaryData', content.binaryData);
  put(content.type ?? '');
  put(String(content.immutable));
  putMap('labels', content.labels);
  putMap('annotations', content.annotations);
  return hmac.digest().subarray(0, 16).toString('base64url');
}

/** Roughly what the strings of an object take, in bytes. */
export function sizeOf({ data, binaryData, metadata }: PayloadObject): number {
  const maps = [data, binaryData, metadata.annotations, metadata.labels];
  const fixed = 500;
  return maps.reduce(
    (sum, map) =>
      Object.entries(map ?? {}).reduce((bytes, [key, value]) => bytes + key.length + value.length, sum),
    fixed,
  );
}

function without(map: StringMap | undefined, drop: (key: string, value: string) => boolean): StringMap {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key, value]) => !drop(key, value)));
}

function only(map: StringMap | undefined, names: readonly string[]): StringMap {
  const wanted = new Set(names);
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => wanted.has(key)));
}

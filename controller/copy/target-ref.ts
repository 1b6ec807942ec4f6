import type { SyncedKindName } from '../../shared/synced-kind.ts';

/** An object on a target cluster: what a work key names. */
export interface TargetRef {
  readonly kind: SyncedKindName;
  readonly namespace: string;
  readonly name: string;
}

/** `Kind/namespace/name`: neither part can hold a slash. */
export type TargetKey = string;

export function targetKey(ref: TargetRef): TargetKey {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** The inverse of `targetKey`. Throws a TypeError on anything else. */
export function parseTargetKey(key: TargetKey): TargetRef {
  const [kind, namespace, name] = key.split('/');
  if ((kind !== 'ConfigMap' && kind !== 'Secret') || namespace === undefined || name === undefined) {
    throw new TypeError(`${key} is not a target key`);
  }
  return { kind, namespace, name };
}

import { configMaps, type Resource, secrets } from './kube/resource.ts';

/** What differs between the kinds that are copied. Everything else is one code for both. */
export interface SyncedKind {
  readonly name: 'ConfigMap' | 'Secret';
  readonly resource: Resource;
  /** Secrets have a type; it can be set at creation only. */
  readonly defaultType: string | undefined;
}

export const syncedKinds: readonly SyncedKind[] = [
  { name: 'ConfigMap', resource: configMaps, defaultType: undefined },
  { name: 'Secret', resource: secrets, defaultType: 'Opaque' },
];

export type SyncedKindName = SyncedKind['name'];

export function syncedKind(name: SyncedKindName): SyncedKind {
  const kind = syncedKinds.find((candidate) => candidate.name === name);
  if (kind === undefined) {
    throw new TypeError(`${name} is not a synced kind`);
  }
  return kind;
}

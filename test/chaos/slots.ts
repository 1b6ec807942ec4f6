/** The places that operations are about. Names repeat in both namespaces and both kinds, so that objects meet. */

export type Kind = 'ConfigMap' | 'Secret';
export const kinds: readonly Kind[] = ['ConfigMap', 'Secret'];
export const pluralOf = { ConfigMap: 'configmaps', Secret: 'secrets' } as const;

export interface Place {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/** Longer than a label value may be. */
const longName = `long-${'x'.repeat(180)}`;
const names = ['one', 'two', 'three', longName];

/** The namespace of the context that fixes one: objects of one name from `a` and `b` mean one object there. */
export const sharedNamespace = 'shared';
const sourceNamespaces = ['a', 'b'];
export const namespaces: readonly string[] = [...sourceNamespaces, sharedNamespace];
export const ownNamespace = 'context-syncer';

/** Where sources are put. */
export const sourceSlots: readonly Place[] = sourceNamespaces.flatMap((namespace) =>
  kinds.flatMap((kind) => names.map((name) => ({ kind, namespace, name }))),
);

/** Where copies can be. */
export const copySlots: readonly Place[] = namespaces.flatMap((namespace) =>
  kinds.flatMap((kind) => names.map((name) => ({ kind, namespace, name }))),
);

export function placeKey({ kind, namespace, name }: Place): string {
  return `${kind}/${namespace}/${name}`;
}

export function collectionPath({ kind, namespace }: Pick<Place, 'kind' | 'namespace'>): string {
  return `/api/v1/namespaces/${namespace}/${pluralOf[kind]}`;
}

export function objectPath(place: Place): string {
  return `${collectionPath(place)}/${place.name}`;
}

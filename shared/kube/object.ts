/** The parts of Kubernetes objects that this project reads, as they travel in JSON. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly unknown[];
}

/** Any object of an API server: what `PartialObjectMetadata` carries. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** A ConfigMap or a Secret with its payload. */
export interface PayloadObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly immutable?: boolean;
}

/** One page of a list. `items` is null for an empty metadata list (seen on 1.36). */
export interface ListPage<T extends KubeObject> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[] | null;
}

/** The form in which versions can be compared. */
const decimal = /^[0-9]+$/;

/**
 * True where `seen` is certainly older than `known`: both are decimal, as API servers promise since 1.35. It means
 * that the server's storage went back in time (a restored etcd): nothing known by version holds any longer.
 */
export function wentBack(seen: string, known: string): boolean {
  return decimal.test(seen) && decimal.test(known) && BigInt(seen) < BigInt(known);
}

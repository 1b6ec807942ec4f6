import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';
import { syncContexts } from './stage.ts';

/** `configmap/NAME` or `secret/NAME`, as a person names an object to kubectl. */
export type Name = `${'configmap' | 'secret'}/${string}`;

/** A ConfigMap or Secret as a person writes it into a file. */
export interface Manifest {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly ownerReferences?: readonly unknown[];
  };
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
}

/** `kubectl apply -f -`. */
export async function apply(place: ControlPlane, manifest: Manifest): Promise<void> {
  await withManifest(place, ['apply'], manifest);
}

/** `kubectl create -f -`. */
export async function create(place: ControlPlane, manifest: Manifest): Promise<void> {
  await withManifest(place, ['create'], manifest);
}

/** `kubectl replace --force -f -`: deletes the object and makes it anew. */
export async function recreate(place: ControlPlane, manifest: Manifest): Promise<void> {
  await withManifest(place, ['replace', '--force'], manifest);
}

async function withManifest(
  place: ControlPlane,
  command: readonly string[],
  manifest: Manifest,
): Promise<void> {
  await place.kubectl([...command, '-f', '-'], {
    stdin: JSON.stringify({ apiVersion: 'v1', ...manifest }),
  });
}

/** `kubectl annotate`: sets the list of contexts. */
export async function annotate(
  place: ControlPlane,
  namespace: string,
  name: Name,
  list: string,
): Promise<void> {
  await place.kubectl(['annotate', '--overwrite', name, '-n', namespace, `${syncContexts}=${list}`]);
}

/** `kubectl annotate` with a dash: takes the annotation away. */
export async function removeAnnotation(place: ControlPlane, namespace: string, name: Name): Promise<void> {
  await place.kubectl(['annotate', name, '-n', namespace, `${syncContexts}-`]);
}

/** `kubectl patch`: changes values of `data`, as they are stored. */
export async function setData(
  place: ControlPlane,
  namespace: string,
  name: Name,
  data: Readonly<Record<string, string>>,
): Promise<void> {
  await place.kubectl(['patch', name, '-n', namespace, '--type=merge', '-p', JSON.stringify({ data })]);
}

/** `kubectl delete`. */
export async function remove(place: ControlPlane, namespace: string, name: Name): Promise<void> {
  await place.kubectl(['delete', name, '-n', namespace]);
}

import { ApiError, TransportError } from '../../../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../../../shared/kube/object.ts';
import type { ObjectEvent, ReflectorHandler } from '../../../../../shared/kube/reflector/reflector.ts';

/** A handler that mirrors a collection, and remembers how it was told. */
export class MirrorHandler implements ReflectorHandler<KubeObject, KubeObject> {
  readonly lists: { size: number; first: boolean }[] = [];
  readonly events: string[] = [];
  readonly failures: string[] = [];
  keep: (object: KubeObject) => boolean = () => true;
  explodeOn: keyof ReflectorHandler<KubeObject, KubeObject> | undefined;
  onEvent: () => void = () => {};
  #objects = new Map<string, KubeObject>();

  project(object: KubeObject): KubeObject | undefined {
    this.#explode('project');
    return this.keep(object) ? object : undefined;
  }

  replaced(items: readonly KubeObject[], list: { readonly first: boolean }): void {
    this.#explode('replaced');
    this.lists.push({ size: items.length, first: list.first });
    this.#objects = new Map(items.map((object) => [keyOf(object), object]));
  }

  event({ type, object }: ObjectEvent<KubeObject>): void {
    this.#explode('event');
    this.events.push(`${type} ${object.metadata.name}`);
    if (type === 'DELETED') this.#objects.delete(keyOf(object));
    else this.#objects.set(keyOf(object), object);
    this.onEvent();
  }

  failed(error: unknown, phase: 'list' | 'watch'): void {
    this.#explode('failed');
    const reason =
      error instanceof ApiError || error instanceof TransportError ? error.reason : String(error);
    this.failures.push(`${phase} ${reason}`);
  }

  has(name: string): boolean {
    return this.names().includes(name);
  }

  names(): string[] {
    return [...this.#objects.values()].map((object) => object.metadata.name).sort();
  }

  /** Every object as `namespace/name@version`, in order. */
  versions(): string[] {
    return [...this.#objects.values()].map(versionOf).sort();
  }

  #explode(method: keyof ReflectorHandler<KubeObject, KubeObject>): void {
    if (this.explodeOn === method) throw new Error(`told to fail in ${method}`);
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

export function versionOf(object: KubeObject): string {
  return `${keyOf(object)}@${object.metadata.resourceVersion}`;
}

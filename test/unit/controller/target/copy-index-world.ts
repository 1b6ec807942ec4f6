import { buildCopy } from '../../../../controller/copy/build-copy.ts';
import { contentStamp } from '../../../../controller/copy/content.ts';
import type { CopyIndex } from '../../../../controller/target/copy-index.ts';
import type { KubeObject, PayloadObject } from '../../../../shared/kube/object.ts';
import { syncedKind } from '../../../../shared/synced-kind.ts';
import { cluster, keys, stampKey } from '../arbitraries.ts';

export type Event = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject };

interface Stored {
  readonly version: number;
  readonly object: PayloadObject;
}

/** A copy of `demo/NAME` with one value, as we write it. */
export function aCopy(namespace: string, name: string, value: string): PayloadObject {
  const content = {
    data: { key: value },
    binaryData: undefined,
    type: undefined,
    immutable: false,
    labels: {},
    annotations: {},
  };
  const stamp = contentStamp(stampKey, content);
  return buildCopy({
    kind: syncedKind('ConfigMap'),
    target: { kind: 'ConfigMap', namespace, name },
    source: { namespace: 'demo', name, uid: `uid-${name}`, resourceVersion: '1', content, stamp },
    context: 'c1',
    keys,
    cluster,
    stampKey,
  });
}

/** An object of that name that is somebody else's copy: it carries the label, but another cluster's origin. */
function foreignCopy(namespace: string, name: string): PayloadObject {
  const copy = aCopy(namespace, name, 'foreign');
  const origin = (copy.metadata.annotations?.[keys.origin] ?? '').replace(cluster.uid, 'uid-of-another');
  return { ...copy, metadata: { ...copy.metadata, annotations: { [keys.origin]: origin } } };
}

function isSelected(object: PayloadObject | undefined): object is PayloadObject {
  return object?.metadata.labels?.[keys.originCluster] !== undefined;
}

function stripped(object: PayloadObject): PayloadObject {
  const { [keys.originCluster]: _, ...labels } = object.metadata.labels ?? {};
  return { ...object, metadata: { ...object.metadata, labels } };
}

/**
 * A target cluster as the index meets it: changes happen at once, but what is told of them (a selected watch in order,
 * lists, the answers to our own requests) arrives when the test says so.
 */
export class TargetWorld {
  readonly #index: CopyIndex;
  readonly #objects = new Map<string, Stored>();
  #events: { readonly version: number; readonly event: Event }[] = [];
  #answers: (() => Promise<void>)[] = [];
  readonly #underWay = new Set<string>();
  #list:
    | { readonly version: number; readonly begun: number; readonly objects: readonly PayloadObject[] }
    | undefined;
  #version = 10;
  #uids = 0;

  constructor(index: CopyIndex) {
    this.#index = index;
  }

  get isListing(): boolean {
    return this.#list !== undefined;
  }

  get pending(): number {
    return this.#events.length + this.#answers.length;
  }

  truth(namespace: string, name: string): PayloadObject | undefined {
    return this.#objects.get(`${namespace}/${name}`)?.object;
  }

  isSelected(namespace: string, name: string): boolean {
    return isSelected(this.truth(namespace, name));
  }

  /** We write; the answer is on its way. */
  write(namespace: string, name: string, value: string): void {
    this.#request(namespace, name, () => this.#store(namespace, name, aCopy(namespace, name, value)));
  }

  /** We read what stands there now; the answer is on its way. */
  look(namespace: string, name: string): void {
    this.#request(namespace, name, () => this.truth(namespace, name));
  }

  /** We delete at the version that stands there; the answer is on its way. */
  remove(namespace: string, name: string): void {
    const known = this.#index.observed({ kind: 'ConfigMap', namespace, name });
    const present = this.truth(namespace, name)?.metadata;
    // As with preconditions: what is there must be what is known.
    if (typeof known !== 'string' && present?.resourceVersion === known.resourceVersion) {
      this.#request(namespace, name, () => {
        this.drop(namespace, name);
        return undefined;
      });
    }
  }

  /** Somebody else changes a value, strips our label, or puts an object of their own there. */
  meddle(namespace: string, name: string, how: 'edit' | 'strip' | 'foreign'): void {
    const observed = this.truth(namespace, name);
    if (how === 'foreign') {
      this.drop(namespace, name);
      this.#store(namespace, name, foreignCopy(namespace, name));
    } else if (observed !== undefined) {
      const edited = { ...observed, data: { key: `edited at ${this.#version}` } };
      this.#store(namespace, name, how === 'edit' ? edited : stripped(observed));
    }
  }

  drop(namespace: string, name: string): void {
    const before = this.truth(namespace, name);
    if (before !== undefined) {
      this.#version += 1;
      this.#objects.delete(`${namespace}/${name}`);
      this.#tell(before, undefined);
    }
  }

  /** The answer to one of our requests arrives: they overtake each other at will. */
  async answer(which: number): Promise<void> {
    const [answer] = this.#answers.splice(which % Math.max(1, this.#answers.length), 1);
    await answer?.();
  }

  /** One request at a time is under way about an object; the server acts at once, and the answer comes later. */
  #request(namespace: string, name: string, act: () => PayloadObject | undefined): void {
    const place = `${namespace}/${name}`;
    if (this.#underWay.has(place)) {
      return;
    }
    this.#underWay.add(place);
    const { promise, resolve } = Promise.withResolvers<PayloadObject | undefined>();
    const taken = this.#index.during({ kind: 'ConfigMap', namespace, name }, () => promise);
    const stored = act();
    this.#answers.push(async () => {
      resolve(stored);
      await taken;
      this.#underWay.delete(place);
    });
  }

  /** The next event of the watch, if there is one. None comes while a list is under way. */
  nextEvent(): Event | undefined {
    return this.#list === undefined ? this.#events.shift()?.event : undefined;
  }

  beginList(): void {
    const objects = [...this.#objects.values()].map(({ object }) => object).filter(isSelected);
    this.#list ??= { version: this.#version, begun: this.#index.answers, objects };
  }

  /** The list arrives; the watch goes on from its version. */
  endList(): void {
    const list = this.#list;
    if (list === undefined) {
      return;
    }
    const items = list.objects.flatMap((object) => this.#index.project('ConfigMap', object) ?? []);
    this.#index.replace('ConfigMap', undefined, items, String(list.version), list.begun);
    this.#events = this.#events.filter(({ version }) => version > list.version);
    this.#list = undefined;
  }

  #store(namespace: string, name: string, object: PayloadObject): PayloadObject {
    this.#version += 1;
    const before = this.truth(namespace, name);
    this.#uids += before === undefined ? 1 : 0;
    const uid = before?.metadata.uid ?? `uid-copy-${this.#uids}`;
    const metadata = { ...object.metadata, uid, resourceVersion: String(this.#version) };
    const stored = { ...object, metadata };
    this.#objects.set(`${namespace}/${name}`, { version: this.#version, object: stored });
    this.#tell(before, stored);
    return stored;
  }

  /** What a watch that selects by our label tells, as metadata. */
  #tell(before: PayloadObject | undefined, after: PayloadObject | undefined): void {
    const [was, is] = [isSelected(before), isSelected(after)];
    const object = after ?? before;
    if (object === undefined || (!was && !is)) {
      return;
    }
    const { metadata } = was && !is ? (before ?? object) : object;
    const told = { metadata: { ...metadata, resourceVersion: String(this.#version) } };
    const type = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
    this.#events.push({ version: this.#version, event: { type, object: told } });
  }
}

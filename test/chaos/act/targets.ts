import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiObject, findObject, listObjects, placeOf, send } from '../api-object.ts';
import { additionPrefix, contentOf, editedLabel, payloadMark } from '../content.ts';
import type { ContentSpec, CopyEdit, ForeignWay } from '../operation.ts';
import { originAnnotation, originOf, ownerOf } from '../oracle/marks.ts';
import { collectionPath, copySlots, objectPath, type Place, placeKey } from '../slots.ts';
import type { Cluster, World } from '../world.ts';

const hold = 'chaos.example/hold';
const originLabels = ['name', 'namespace', 'cluster'].map((name) => `kubed.appscode.com/origin.${name}`);
const garbage = [
  '{',
  '[]',
  'null',
  '""',
  '{"__proto__":{"name":"one","namespace":"a"}}',
  '{"namespace":1,"name":{}}',
  JSON.stringify({ namespace: 'a', name: 'one', uid: 'x'.repeat(100_000) }),
];

/** Operations of people and programs on a target cluster. */
export class Targets {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async edit(cluster: Cluster, slot: number, edit: CopyEdit): Promise<string> {
    const found = await this.#nextCopy(cluster, slot);
    if (found === undefined) {
      return 'no copy';
    }
    const { place, copy } = found;
    const { resourceVersion } = copy.metadata;
    const value = `${payloadMark}-edited`;
    const encoded = place.kind === 'Secret' ? Buffer.from(value).toString('base64') : value;
    const none = Object.fromEntries(originLabels.map((label) => [label, null]));
    const patches: Readonly<Record<CopyEdit, unknown>> = {
      data: { data: { 'key-0': encoded, added: encoded } },
      labels: { metadata: { labels: editedLabel(copy) } },
      'strip-labels': { metadata: { labels: none } },
      'strip-origin': { metadata: { annotations: { [originAnnotation]: null } } },
      addition: {
        metadata: { labels: { [`${additionPrefix}x`]: 'y' }, annotations: { [`${additionPrefix}x`]: 'y' } },
      },
      orphan: {
        metadata: {
          ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: randomUUID() }],
        },
      },
    };
    const body = { ...asRecord(patches[edit]) };
    const answer = await send<ApiObject>(cluster.plane, 'PATCH', objectPath(place), {
      ...body,
      metadata: { ...asRecord(body['metadata']), resourceVersion },
    });
    if (answer.status === 200) {
      this.#register(cluster, place, answer.body);
    }
    return `${placeKey(place)} ${edit} ${answer.status}`;
  }

  async delete(cluster: Cluster, slot: number): Promise<string> {
    const found = await this.#nextCopy(cluster, slot);
    return found === undefined
      ? 'no copy'
      : `${placeKey(found.place)} deleted ${await remove(cluster, found.place, found.copy)}`;
  }

  /** A finalizer holds a copy that somebody deleted, for a while. */
  async hold(cluster: Cluster, slot: number, ms: number): Promise<string> {
    const found = await this.#nextCopy(cluster, slot);
    if (found === undefined) {
      return 'no copy';
    }
    const { place } = found;
    const finalizers = (values: readonly string[]): unknown => ({ metadata: { finalizers: values } });
    const held = await send<ApiObject>(cluster.plane, 'PATCH', objectPath(place), finalizers([hold]));
    const status = held.status === 200 ? await remove(cluster, place, held.body) : held.status;
    this.#world.later(`finalizer of ${describe(cluster, place)} goes`, ms, async () => {
      await this.#world.persist(async () => {
        const { status: released } = await send(cluster.plane, 'PATCH', objectPath(place), finalizers([]));
        if (released === 200) {
          // Somebody may have made it foreign meanwhile; it goes all the same.
          cluster.foreign.delete(placeKey(place));
        }
      });
    });
    return `${placeKey(place)} held ${status}`;
  }

  /** Puts something there that is not a copy of ours, in the place of what is there. */
  async putForeign(cluster: Cluster, place: Place, way: ForeignWay, spec: ContentSpec): Promise<string> {
    const present = await findObject(cluster.plane, place);
    if (present !== undefined) {
      if (!cluster.foreign.has(placeKey(place)) && !this.#world.mayDisturb(cluster, placeKey(place))) {
        return 'left alone';
      }
      await remove(cluster, place, present);
      cluster.foreign.delete(placeKey(place));
    }
    const answer = await send<ApiObject>(cluster.plane, 'POST', collectionPath(place), {
      metadata: {
        name: place.name,
        namespace: place.namespace,
        ...(await this.#marksOf(cluster, place, way)),
      },
      ...contentOf(place.kind, { ...spec, immutable: false }),
    });
    if (answer.status === 201) {
      this.#register(cluster, place, answer.body);
    }
    return `${way} ${answer.status}`;
  }

  async removeForeign(cluster: Cluster, slot: number): Promise<string> {
    const place = placesFrom(slot).find((one) => cluster.foreign.has(placeKey(one)));
    const object = place === undefined ? undefined : cluster.foreign.get(placeKey(place));
    if (place === undefined || object === undefined) {
      return 'nothing foreign';
    }
    cluster.foreign.delete(placeKey(place));
    return `${placeKey(place)} removed ${await remove(cluster, place, object)}`;
  }

  /** A namespace goes and comes back. Where no controller manager runs, we do as one does. */
  async deleteNamespace(
    cluster: Cluster,
    namespace: string,
    terminatingMs: number,
    absentMs: number,
  ): Promise<string> {
    if (cluster.pendingNamespaces.has(namespace)) {
      return 'is being deleted';
    }
    const path = `/api/v1/namespaces/${namespace}`;
    cluster.pendingNamespaces.add(namespace);
    const { status } = await send(cluster.plane, 'DELETE', path);
    if (this.#world.hasManagers) {
      // It deletes what is there from now on; what is foreign is ours to forget.
      for (const place of copySlots.filter((slot) => slot.namespace === namespace)) {
        cluster.foreign.delete(placeKey(place));
        this.#world.mayDisturb(cluster, placeKey(place));
      }
    }
    this.#world.later(
      `namespace ${namespace} of ${cluster.plane.name} is emptied`,
      terminatingMs,
      async () => {
        await this.#world.persist(async () => {
          if (!this.#world.hasManagers) {
            await this.#empty(cluster, namespace);
            await send(cluster.plane, 'PUT', `${path}/finalize`, {
              apiVersion: 'v1',
              kind: 'Namespace',
              metadata: { name: namespace },
              spec: { finalizers: [] },
            });
          }
          await absent(cluster, path);
        });
        await sleep(absentMs);
        await this.#world.persist(async () => {
          const made = await send(cluster.plane, 'POST', '/api/v1/namespaces', {
            metadata: { name: namespace },
          });
          if (made.status !== 201 && made.status !== 409) {
            throw new Error(`namespace ${namespace}: ${made.status}`);
          }
        });
        cluster.pendingNamespaces.delete(namespace);
      },
    );
    return String(status);
  }

  async #empty(cluster: Cluster, namespace: string): Promise<void> {
    for (const listed of await listObjects(cluster.plane, namespace)) {
      const place = placeOf(listed);
      cluster.foreign.delete(placeKey(place));
      this.#world.mayDisturb(cluster, placeKey(place));
      await send(cluster.plane, 'PATCH', objectPath(place), { metadata: { finalizers: [] } });
      await send(cluster.plane, 'DELETE', objectPath(place));
    }
    if ((await listObjects(cluster.plane, namespace)).length > 0) {
      throw new Error(`namespace ${namespace} is not empty yet`);
    }
  }

  /** The first copy from a slot on that may be disturbed: most slots have none. */
  async #nextCopy(cluster: Cluster, slot: number): Promise<{ place: Place; copy: ApiObject } | undefined> {
    const present = new Map(
      (await listObjects(cluster.plane)).map((one) => [placeKey(placeOf(one)), one.object]),
    );
    for (const place of placesFrom(slot)) {
      const key = placeKey(place);
      const copy = cluster.foreign.has(key) ? undefined : present.get(key);
      if (copy !== undefined && this.#world.mayDisturb(cluster, key)) {
        return { place, copy };
      }
    }
    return undefined;
  }

  #register(cluster: Cluster, place: Place, object: ApiObject): void {
    if (ownerOf(object, this.#world.sourceUid, this.#world.takeOverUid) === 'foreign') {
      cluster.foreign.set(placeKey(place), object);
    }
  }

  async #marksOf(cluster: Cluster, place: Place, way: ForeignWay): Promise<object> {
    const labels = {
      [originLabels[0] ?? '']: 'one',
      [originLabels[1] ?? '']: 'a',
      [originLabels[2] ?? '']: 'hub',
    };
    const origin = (text: string): object => ({ labels, annotations: { [originAnnotation]: text } });
    const { name, namespace } = place;
    const perfect = (clusterUID: string): string =>
      JSON.stringify({
        namespace: 'a',
        name,
        uid: randomUUID(),
        resourceVersion: '1',
        clusterUID,
        copy: { namespace, name },
        context: 'first',
        stamp: 'AAAAAAAAAAAAAAAAAAAAAA',
        labels: [],
        annotations: [],
      });
    switch (way) {
      case 'plain':
        return {};
      case 'garbage':
        return origin(garbage[name.length % garbage.length] ?? '');
      case 'other-cluster':
        return origin(perfect(randomUUID()));
      case 'orphan':
        return origin(perfect(this.#world.sourceUid));
      case 'clone': {
        const copies = await listObjects(cluster.plane);
        const model = copies.find(
          ({ object }) => originOf(object)?.copy !== undefined && object.metadata.namespace !== namespace,
        );
        return model === undefined
          ? {}
          : { labels: model.object.metadata.labels, annotations: model.object.metadata.annotations };
      }
    }
  }
}

/** All places of copies, from a slot on and around. */
function placesFrom(slot: number): readonly Place[] {
  return [...copySlots.slice(slot), ...copySlots.slice(0, slot)];
}

async function remove(cluster: Cluster, place: Place, { metadata }: ApiObject): Promise<number> {
  const { uid } = metadata;
  return (await send(cluster.plane, 'DELETE', objectPath(place), { preconditions: { uid } })).status;
}

async function absent(cluster: Cluster, path: string): Promise<void> {
  const { status } = await send(cluster.plane, 'GET', path);
  if (status !== 404) {
    throw new Error(`${path} on ${cluster.plane.name} is still there: ${status}`);
  }
}

function describe(cluster: Cluster, place: Place): string {
  return `${cluster.plane.name} ${placeKey(place)}`;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

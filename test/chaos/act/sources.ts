import { type ApiObject, findObject, send } from '../api-object.ts';
import { contentOf, metadataOf } from '../content.ts';
import type { ContentSpec } from '../operation.ts';
import { listAnnotation } from '../oracle/marks.ts';
import { collectionPath, objectPath, type Place, placeKey } from '../slots.ts';
import type { World } from '../world.ts';

/** Operations of the owners of sources. Each yields what it came to, for the journal. */
export class Sources {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Makes the source as given, whatever it was. */
  async put(place: Place, list: string | null, content: ContentSpec): Promise<string> {
    const present = await this.#find(place);
    if (present === undefined) {
      return await this.#create(place, list, content);
    }
    const changed = await this.#write('PUT', place, bodyOf(place, list, content, present));
    return changed === 422
      ? `${await this.delete(place)}, ${await this.#create(place, list, content)}`
      : `updated ${changed}`;
  }

  /** Changes what the source holds, and keeps its list; makes it where it is absent. */
  async edit(place: Place, content: ContentSpec): Promise<string> {
    return await this.put(place, listOf(await this.#find(place)), content);
  }

  async setList(place: Place, list: string | null): Promise<string> {
    const status = await this.#write('PATCH', place, {
      metadata: { annotations: { [listAnnotation]: list } },
    });
    return String(status);
  }

  async delete(place: Place): Promise<string> {
    const since = Date.now();
    const { status } = await send(this.#world.source.plane, 'DELETE', objectPath(place));
    if (status === 200) {
      this.#world.history.record(placeKey(place), since, undefined);
    }
    return `deleted ${status}`;
  }

  /** Deletes it and makes it anew at once, as `kubectl replace --force` does. */
  async recreate(place: Place, content: ContentSpec): Promise<string> {
    const list = listOf(await this.#find(place));
    return `${await this.delete(place)}, ${await this.#create(place, list, content)}`;
  }

  async #find(place: Place): Promise<ApiObject | undefined> {
    return await findObject(this.#world.source.plane, place);
  }

  async #create(place: Place, list: string | null, content: ContentSpec): Promise<string> {
    const since = Date.now();
    const answer = await send<ApiObject>(
      this.#world.source.plane,
      'POST',
      collectionPath(place),
      bodyOf(place, list, content),
    );
    if (answer.status === 201) {
      this.#world.history.record(placeKey(place), since, answer.body);
    }
    return `created ${answer.status}`;
  }

  async #write(method: 'PUT' | 'PATCH', place: Place, body: unknown): Promise<number> {
    const since = Date.now();
    const answer = await send<ApiObject>(this.#world.source.plane, method, objectPath(place), body);
    if (answer.status === 200) {
      this.#world.history.record(placeKey(place), since, answer.body);
    }
    return answer.status;
  }
}

/** The list that a source keeps; of one that is not there, what most lists are. */
function listOf(source: ApiObject | undefined): string | null {
  return source === undefined ? 'first,second' : (source.metadata.annotations?.[listAnnotation] ?? null);
}

function bodyOf(place: Place, list: string | null, spec: ContentSpec, present?: ApiObject): unknown {
  const { labels, annotations } = metadataOf(spec);
  return {
    metadata: {
      name: place.name,
      namespace: place.namespace,
      labels,
      annotations: { ...annotations, ...(list === null ? {} : { [listAnnotation]: list }) },
      ...(present === undefined ? {} : { resourceVersion: present.metadata.resourceVersion }),
    },
    ...contentOf(place.kind, spec),
  };
}

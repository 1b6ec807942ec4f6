import type { KubeClient } from '../../shared/kube/client.ts';

/** Resolves when the source cluster has said, after the call, that it is the one that it was; throws otherwise. */
export type Confirm = (signal: AbortSignal | undefined) => Promise<void>;

/**
 * Writes of this program's own objects to the source cluster, at whose address another cluster can answer at any time.
 *
 * A PUT names the uid of the object that was read, so it has no effect in any other cluster than the one that was read.
 * It does not show that this was the source, and a POST names nothing. Hence the cluster says who it is, over a
 * connection of its own, before each POST and before the first PUT of an object of another uid. What remains: an
 * address that moves in the milliseconds between that answer and the write. Without connections that are bound to one
 * cluster nothing can exclude that.
 *
 * `client` should open a connection for each request: one that is kept alive can lead to where the address led earlier.
 */
export function provenWrites(
  client: Pick<KubeClient, 'create' | 'update'>,
  confirm: Confirm,
): Pick<KubeClient, 'create' | 'update'> {
  /** Uids of the source cluster's objects by name: as many as this program has objects to write. */
  const proven = new Map<string, string | undefined>();
  return {
    create: async (resource, object, options) => {
      await confirm(options?.signal);
      return await client.create(resource, object, options);
    },
    update: async (resource, object, options) => {
      const { namespace, name, uid } = object.metadata;
      const key = `${resource.plural}/${namespace}/${name}`;
      if (uid === undefined || proven.get(key) !== uid) {
        await confirm(options?.signal);
        proven.set(key, uid);
      }
      return await client.update(resource, object, options);
    },
  };
}

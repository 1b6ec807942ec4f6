import { listObjects, send } from './api-object.ts';
import type { State } from './oracle/final-state.ts';
import type { Cluster, World } from './world.ts';

/** All clusters as they are now. */
export async function stateOf(world: World): Promise<State> {
  return {
    sources: await listObjects(world.source.plane),
    sourceUid: world.sourceUid,
    takeOverUid: world.takeOverUid,
    contexts: world.contexts.all,
    targets: await Promise.all(
      world.targets.map(async (target) => ({
        number: target.number,
        name: target.plane.name,
        objects: await listObjects(target.plane),
        foreign: target.foreign,
        namespaces: await activeNamespaces(target),
      })),
    ),
  };
}

async function activeNamespaces({ plane }: Cluster): Promise<ReadonlySet<string>> {
  const { body } = await send<{
    items: readonly { metadata: { name: string }; status: { phase: string } }[];
  }>(plane, 'GET', '/api/v1/namespaces');
  return new Set(
    body.items.filter(({ status }) => status.phase === 'Active').map(({ metadata }) => metadata.name),
  );
}

import { randomBytes } from 'node:crypto';
import { eventually } from './eventually.ts';
import { metric } from './metrics.ts';
import type { Program } from './program.ts';
import { appears, disappears, type Plural, type Stage, syncContexts } from './stage.ts';

/** A context without a namespace of its own, and the number of its target. */
export interface MarkerWay {
  readonly context: string;
  readonly target: number;
  readonly namespace: string;
}

/**
 * Waits until the controller has dealt with everything that happened on the source cluster before this call, so that a
 * test can tell what it did not do. Proof: a source of each kind that is made now travels to a target and goes again,
 * and after that no key waits or is being worked on in any lane. Keys under a back-off are not waited for.
 */
export async function processed(stage: Stage, program: Program, way: MarkerWay): Promise<void> {
  const name = `marker-${randomBytes(4).toString('hex')}`;
  const kinds: readonly Plural[] = ['configmaps', 'secrets'];
  await Promise.all(
    kinds.map(async (plural) => {
      const collection = `/api/v1/namespaces/${way.namespace}/${plural}`;
      await stage.source.request('POST', collection, {
        metadata: { name, annotations: { [syncContexts]: way.context } },
      });
      await appears(stage.target(way.target), plural, way.namespace, name);
      await stage.source.request('DELETE', `${collection}/${name}`);
      await disappears(stage.target(way.target), plural, way.namespace, name);
    }),
  );
  await eventually('no key waits to be worked on', async () => {
    const busy =
      (await metric(program, 'workqueue_depth')) +
      (await metric(program, 'controller_runtime_active_workers'));
    if (busy > 0) {
      throw new Error(`${busy} keys are still to be worked on`);
    }
  });
}

import { scrape } from '../../harness/metrics.ts';
import { send } from '../api-object.ts';
import { payloadMark } from '../content.ts';
import { ownNamespace } from '../slots.ts';
import type { World } from '../world.ts';

/** A mark as it may show up: itself, and base64 of it at each of the three alignments. */
const disguises: readonly string[] = [
  payloadMark,
  ...[0, 1, 2].map((shift) =>
    Buffer.from(`${'.'.repeat(shift)}${payloadMark}`)
      .toString('base64')
      .slice(4, -4),
  ),
];

/** Where payload of somebody's object is that should not be, as sentences. */
export async function leaks(world: World): Promise<readonly string[]> {
  const places = new Map<string, string>();
  for (const controller of world.controllers) {
    places.set(`the log of controller ${controller.number}`, controller.output);
    if (controller.isAwake && controller.program !== undefined) {
      places.set(`the metrics of controller ${controller.number}`, await scrape(controller.program));
    }
  }
  for (const { plane } of world.clusters) {
    const { body } = await send(plane, 'GET', '/api/v1/events');
    places.set(`the Events of ${plane.name}`, JSON.stringify(body));
  }
  for (const resource of ['configmaps', 'secrets']) {
    const { body } = await send(world.source.plane, 'GET', `/api/v1/namespaces/${ownNamespace}/${resource}`);
    places.set(`the program's own ${resource}`, JSON.stringify(body));
  }
  return [...places].flatMap(([place, text]) => {
    const at = disguises.map((disguise) => text.indexOf(disguise)).find((index) => index >= 0);
    return at === undefined ? [] : [`payload is in ${place}: …${text.slice(Math.max(0, at - 80), at + 60)}…`];
  });
}

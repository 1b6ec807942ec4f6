import { name, namespace, targets } from '../clusters.ts';
import type { Scene } from './scene.ts';
import { isThere, lists, syncContexts } from './sights.ts';

export const annotate: Scene = {
  title: 'Annotate once, have it in every cluster',
  async play(demo) {
    const both = targets.map(({ context }) => context).join(',');
    await demo.kubectl('create', 'configmap', name, '-n', namespace, '--from-literal=leave=no');
    await demo.effects(
      {
        at: demo.source,
        fits: lists(both),
        by: () => demo.kubectl('annotate', 'configmap', name, '-n', namespace, `${syncContexts}=${both}`),
      },
      demo.copies.map((at) => ({ at, fits: isThere, what: 'is there' })),
    );
    for (const { context, namespace: place } of targets) {
      await demo.kubectl(`--context=${context}`, 'get', 'configmap', name, '-n', place, '-o', 'yaml');
    }
  },
};

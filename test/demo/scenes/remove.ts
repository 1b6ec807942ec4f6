import { name, namespace } from '../clusters.ts';
import type { Scene } from './scene.ts';
import { isGone, lists, syncContexts } from './sights.ts';

export const remove: Scene = {
  title: 'Without the annotation there are no copies; the source stays',
  async play(demo) {
    await demo.effects(
      {
        at: demo.source,
        fits: lists(undefined),
        by: () => demo.kubectl('annotate', 'configmap', name, '-n', namespace, `${syncContexts}-`),
      },
      demo.copies.map((at) => ({ at, fits: isGone, what: 'is gone' })),
    );
  },
};

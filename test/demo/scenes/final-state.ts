import { name, namespace, targets } from '../clusters.ts';
import type { Scene } from './scene.ts';

export const finalState: Scene = {
  title: 'What is left',
  async play(demo) {
    await demo.kubectl('get', 'configmap', name, '-n', namespace);
    for (const { context, namespace: place } of targets) {
      await demo.refusedKubectl('NotFound', `--context=${context}`, 'get', 'configmap', name, '-n', place);
    }
  },
};

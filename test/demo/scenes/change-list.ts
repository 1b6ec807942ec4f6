import { name, namespace, targets } from '../clusters.ts';
import type { Scene } from './scene.ts';
import { isGone, isThere, lists, syncContexts } from './sights.ts';

export const changeList: Scene = {
  title: 'A context that is taken off the list loses its copy; put back, it gets one again',
  async play(demo) {
    const [first, second] = targets;
    const [, secondCopy] = demo.copies;
    const setList = (contexts: string) => ({
      at: demo.source,
      fits: lists(contexts),
      by: () =>
        demo.kubectl(
          'annotate',
          'configmap',
          name,
          '-n',
          namespace,
          '--overwrite',
          `${syncContexts}=${contexts}`,
        ),
    });
    await demo.effects(setList(first.context), [{ at: secondCopy, fits: isGone, what: 'is gone' }]);
    await demo.refusedKubectl(
      'NotFound',
      `--context=${second.context}`,
      'get',
      'configmap',
      name,
      '-n',
      second.namespace,
    );
    await demo.effects(setList(`${first.context},${second.context}`), [
      { at: secondCopy, fits: isThere, what: 'is there' },
    ]);
  },
};

import { name, targets } from '../clusters.ts';
import type { Scene } from './scene.ts';
import { holds, isGone, isThere } from './sights.ts';

export const repair: Scene = {
  title: 'A copy that somebody edits or deletes is repaired',
  async play(demo) {
    const [first, second] = targets;
    const [firstCopy, secondCopy] = demo.copies;
    await demo.effects(
      {
        at: firstCopy,
        fits: holds('leave', 'never'),
        by: () =>
          demo.kubectl(
            `--context=${first.context}`,
            'patch',
            'configmap',
            name,
            '-n',
            first.namespace,
            '--type=merge',
            '-p',
            '{"data":{"leave":"never"}}',
          ),
      },
      [{ at: firstCopy, fits: holds('leave', 'now'), what: 'is repaired' }],
    );
    await demo.effects(
      {
        at: secondCopy,
        fits: isGone,
        by: () =>
          demo.kubectl(`--context=${second.context}`, 'delete', 'configmap', name, '-n', second.namespace),
      },
      [{ at: secondCopy, fits: isThere, what: 'is back' }],
    );
  },
};

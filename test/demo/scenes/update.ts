import { name, namespace, targets } from '../clusters.ts';
import type { Scene } from './scene.ts';
import { holds } from './sights.ts';

export const update: Scene = {
  title: 'An update of the source arrives everywhere',
  async play(demo) {
    await demo.effects(
      {
        at: demo.source,
        fits: holds('leave', 'now'),
        by: () =>
          demo.kubectl(
            'patch',
            'configmap',
            name,
            '-n',
            namespace,
            '--type=merge',
            '-p',
            '{"data":{"leave":"now"}}',
          ),
      },
      demo.copies.map((at) => ({ at, fits: holds('leave', 'now'), what: 'has the new value' })),
    );
    for (const { context, namespace: place } of targets) {
      await demo.kubectl(
        `--context=${context}`,
        'get',
        'configmap',
        name,
        '-n',
        place,
        '-o',
        'jsonpath={.data}',
      );
    }
  },
};

import { namespace, targets } from '../clusters.ts';
import type { Scene } from './scene.ts';

export const prepare: Scene = {
  title: 'Three clusters: the source, and two targets that kubeconfig contexts name',
  async play(demo) {
    const [first, second] = targets;
    await demo.kubectl('config', 'get-contexts');
    demo.terminal.text(
      '\nCopies go to the namespace of the context, or else to that of the source.\nNamespaces are never created by context-syncer, so we do it.',
    );
    await demo.kubectl('create', 'namespace', namespace);
    for (const target of [first, second]) {
      await demo.kubectl(`--context=${target.context}`, 'create', 'namespace', target.namespace);
    }
  },
};

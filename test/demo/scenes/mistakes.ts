import { alias, name, namespace, targets } from '../clusters.ts';
import type { Scene } from './scene.ts';
import { syncContexts } from './sights.ts';

const [first, second] = targets;

export const mistakes: Scene = {
  title: 'A mistake is refused at `kubectl apply`, and the answer says what to change',
  async play(demo) {
    await demo.refusedApply(
      `(did you mean "${second.context}"?)`,
      configMap('unknown-context', `${first.context},contxt-2`),
    );
    await demo.refusedApply('are the same cluster', configMap('same-cluster', `${first.context},${alias}`));
    demo.terminal.text('\nAll problems of an object are reported together, with every kind of request.');
    await demo.refusedKubectl(
      'has 2 problems',
      'annotate',
      'configmap',
      name,
      '-n',
      namespace,
      '--overwrite',
      `${syncContexts}=contxt-2,${first.context},${alias}`,
    );
    demo.terminal.text('\nNothing of it was written.');
    await demo.kubectl('get', 'configmaps', '-n', namespace);
  },
};

function configMap(title: string, contexts: string): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${title}
  namespace: ${namespace}
  annotations:
    ${syncContexts}: ${contexts}
`;
}

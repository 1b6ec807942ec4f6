import { alias, type Clusters, name, namespace, sourceContext, targets } from './clusters.ts';
import type { DemoProgram } from './program.ts';
import { syncContexts } from './scenes/sights.ts';

/** What to type in another terminal while the demo is kept running. */
export function thingsToTry(
  { kubeconfig, contextsKubeconfig, sandbox }: Clusters,
  programs: readonly DemoProgram[],
): string {
  const list = targets.map(({ context }) => context).join(',');
  const gets = targets.map(
    ({ context, namespace: place }) => `  kubectl --context=${context} get configmap -n ${place}`,
  );
  const annotate = `kubectl annotate configmap ${name} -n ${namespace} --overwrite ${syncContexts}`;
  return `All of it keeps running until Ctrl-C. In another terminal:

  export KUBECONFIG=${kubeconfig.file}
  alias kubectl=${sandbox.binaries.kubectl}

Copies come and go (context "${sourceContext}" is the current one):

  ${annotate}=${list}
${gets.join('\n')}
  kubectl events -n ${namespace}

Mistakes are refused:

  ${annotate}=context-9
  ${annotate}=${targets[0].context},${alias}
  ${annotate}=,

A context is known soon after it was added: rename one, or add one, in
${contextsKubeconfig}, then

  kubectl create secret generic context-syncer-contexts -n context-syncer --dry-run=client -o yaml \\
    --from-file=kubeconfig=${contextsKubeconfig} | kubectl replace -f -
  kubectl get configmap context-syncer-catalog -n context-syncer -o yaml

What the ${programs.map((program) => program.name).join(' and the ')} say:

${programs.map(({ url, logFile }) => `  curl ${url}/metrics\n  tail -f ${logFile}`).join('\n')}`;
}

import { type Clusters, name, namespace, sourceContext, targets } from './clusters.ts';
import type { DemoController } from './controller.ts';
import { syncContexts } from './scenes/sights.ts';

/** What to type in another terminal while the demo is kept running. */
export function thingsToTry({ kubeconfig, sandbox }: Clusters, { url, logFile }: DemoController): string {
  const list = targets.map(({ context }) => context).join(',');
  const gets = targets.map(
    ({ context, namespace: place }) => `  kubectl --context=${context} get configmap -n ${place}`,
  );
  return `All of it keeps running until Ctrl-C. In another terminal:

  export KUBECONFIG=${kubeconfig.file}
  alias kubectl=${sandbox.binaries.kubectl}

  kubectl annotate configmap ${name} -n ${namespace} ${syncContexts}=${list}    # context "${sourceContext}"
${gets.join('\n')}
  kubectl annotate configmap ${name} -n ${namespace} --overwrite ${syncContexts}=context-9
  kubectl events -n ${namespace}

  curl ${url}/metrics
  tail -f ${logFile}`;
}

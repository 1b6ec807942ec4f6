import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { ConnectionSpec } from '../shared/kube/connection-spec.ts';
import { inClusterSpec } from '../shared/kube/in-cluster.ts';
import { KubeconfigError, specFromKubeconfig } from '../shared/kube/kubeconfig.ts';
import { errorFields } from '../shared/log/error-fields.ts';
import { StartupError } from '../shared/settings/startup-error.ts';

/** The connection to the cluster that this process serves. @throws StartupError */
export async function ownCluster(
  kubeconfig: string | undefined,
  inCluster: { readonly host?: string | undefined; readonly port?: string | undefined },
): Promise<ConnectionSpec> {
  try {
    return kubeconfig === undefined
      ? inClusterSpec({ host: inCluster.host, port: inCluster.port })
      : specFromKubeconfig(await readForStart(kubeconfig), { baseDirectory: dirname(resolve(kubeconfig)) });
  } catch (error) {
    if (!(error instanceof KubeconfigError)) {
      throw error;
    }
    const where =
      kubeconfig === undefined ? 'no --kubeconfig is given' : `--kubeconfig: the file "${kubeconfig}"`;
    throw new StartupError(
      error.problems.map((problem) => `${where}: ${problem}.`),
      { cause: error },
    );
  }
}

async function readForStart(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = errorFields(error);
    throw new StartupError(
      [
        `--kubeconfig: the file "${path}" cannot be read (${String(code ?? 'unknown')}); name a kubeconfig file.`,
      ],
      { cause: error },
    );
  }
}

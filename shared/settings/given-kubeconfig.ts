import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errorFields } from '../error-fields.ts';
import { inClusterSpec } from '../kube/kubeconfig/in-cluster.ts';
import { KubeconfigError, specFromKubeconfig } from '../kube/kubeconfig/kubeconfig.ts';
import type { ConnectionSpec } from '../kube/kubeconfig/spec.ts';
import { StartupError } from './startup-error.ts';

/** A kubeconfig file that a flag names. */
export interface GivenKubeconfig {
  readonly text: string;
  /** What relative paths in it start from. */
  readonly baseDirectory: string;
}

/** The connection to the cluster that this process serves: by kubeconfig, else by its Pod's account. @throws StartupError */
export async function ownClusterSpec(
  kubeconfig: string | undefined,
  inCluster: { readonly host?: string | undefined; readonly port?: string | undefined },
): Promise<ConnectionSpec> {
  if (kubeconfig === undefined) {
    return explained('no --kubeconfig is given', () =>
      inClusterSpec({ host: inCluster.host, port: inCluster.port }),
    );
  }
  const { text, baseDirectory } = await readGivenKubeconfig('--kubeconfig', kubeconfig);
  return explained(nameOf('--kubeconfig', kubeconfig), () => specFromKubeconfig(text, { baseDirectory }));
}

/** Reads the file. @throws StartupError */
export async function readGivenKubeconfig(flag: string, path: string): Promise<GivenKubeconfig> {
  try {
    return { text: await readFile(path, 'utf8'), baseDirectory: dirname(resolve(path)) };
  } catch (error) {
    const { code } = errorFields(error);
    throw new StartupError(
      [`${nameOf(flag, path)} cannot be read (${String(code ?? 'unknown')}); name a kubeconfig file.`],
      { cause: error },
    );
  }
}

/** How a given file is spoken of. */
export function nameOf(flag: string, path: string): string {
  return `${flag}: the file "${path}"`;
}

/** What `run` yields; a KubeconfigError becomes a StartupError whose problems begin with `where`. */
export function explained<T>(where: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof KubeconfigError) {
      throw new StartupError(
        error.problems.map((problem) => `${where}: ${problem}.`),
        { cause: error },
      );
    }
    throw error;
  }
}

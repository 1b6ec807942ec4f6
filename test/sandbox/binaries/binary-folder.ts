import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Absolute paths of the three programs of a control plane. */
export interface Binaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
}

/** Their file names, the same in KUBEBUILDER_ASSETS, in the envtest archive and in the cache. */
export const binaryNames = ['etcd', 'kube-apiserver', 'kubectl'] as const;

const versionArguments = {
  etcd: ['--version'],
  'kube-apiserver': ['--version'],
  kubectl: ['version', '--client'],
};
const run = promisify(execFile);

export function binariesIn(folder: string): Binaries {
  return {
    etcd: join(folder, 'etcd'),
    kubeApiserver: join(folder, 'kube-apiserver'),
    kubectl: join(folder, 'kubectl'),
  };
}

/** Those of the three that `folder` does not have as an executable file. */
export async function missingBinaries(folder: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const name of binaryNames) {
    try {
      await access(join(folder, name), constants.X_OK);
    } catch {
      missing.push(name);
    }
  }
  return missing;
}

/** Asks each for its version: proves that it is whole and made for this platform. Throws if one does not run. */
export async function provenToRun(folder: string): Promise<void> {
  for (const name of binaryNames) {
    try {
      await run(join(folder, name), versionArguments[name], { timeout: 60_000 });
    } catch (error) {
      throw new Error(`${name} does not run on this machine`, { cause: error });
    }
  }
}

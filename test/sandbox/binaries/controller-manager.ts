import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { cachePlace } from './cache-folder.ts';
import { buildWithGo } from './go-build.ts';
import { withLock } from './lock.ts';
import { thisPlatform } from './platform.ts';
import { moduleFolder, pinnedVersions } from './versions.ts';

const program = 'k8s.io/kubernetes/cmd/kube-controller-manager';

/**
 * The file of a kube-controller-manager. No archive has it, and only `npm run chaos` needs it: it is built with Go when somebody asks
 * for it, once for all processes.
 */
export async function ensureControllerManager(
  env: NodeJS.ProcessEnv,
  progress: (line: string) => void,
): Promise<string> {
  const versions = await pinnedVersions(moduleFolder);
  const { root, folder } = cachePlace(env, versions, thisPlatform());
  const file = `${folder}.${basename(program)}`;
  await mkdir(root, { recursive: true });
  await withLock(`${file}.lock`, progress, async () => {
    if (await isExecutable(file)) {
      return;
    }
    const staging = join(root, `${basename(file)}.staging-${randomUUID()}`);
    try {
      await mkdir(staging);
      await buildWithGo({ moduleFolder, versions, env, packages: [program], into: staging, progress });
      await rename(join(staging, basename(program)), file);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  });
  return file;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

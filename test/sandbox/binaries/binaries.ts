import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Binaries, binariesIn, missingBinaries, provenToRun } from './binary-folder.ts';
import { type CachePlace, cachePlace } from './cache-folder.ts';
import { downloadEnvtest, publishedIndexUrl } from './envtest-archive.ts';
import { buildWithGo } from './go-build.ts';
import { withLock } from './lock.ts';
import { damage, writeManifest } from './manifest.ts';
import { type Platform, thisPlatform } from './platform.ts';
import { moduleFolder, pinnedVersions } from './versions.ts';

const packages = [
  'go.etcd.io/etcd/server/v3',
  'k8s.io/kubernetes/cmd/kube-apiserver',
  'k8s.io/kubernetes/cmd/kubectl',
];
const etcdBuiltAs = 'server';

export type { Binaries } from './binary-folder.ts';

export interface BinariesOptions {
  /** Read: KUBEBUILDER_ASSETS, CONTEXT_SYNCER_CACHE, XDG_CACHE_HOME, HOME, PATH, and what Go reads. */
  readonly env: NodeJS.ProcessEnv;
  readonly progress?: (line: string) => void;
  /** Where the index of envtest archives is; a relative link in it is relative to it. */
  readonly indexUrl?: string;
  readonly platform?: Platform;
}

/**
 * etcd, kube-apiserver and kubectl, by the first way that works: KUBEBUILDER_ASSETS, the cache, the envtest archive
 * that the Kubernetes project publishes, a build with Go. The last two fill the cache, once for all processes.
 */
export async function ensureBinaries(options: BinariesOptions): Promise<Binaries> {
  const { env, progress = () => {}, platform = thisPlatform() } = options;
  const assets = env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') {
    const missing = await missingBinaries(assets);
    if (missing.length === 0) {
      return binariesIn(assets);
    }
    progress(`KUBEBUILDER_ASSETS is ${assets}, which is without ${missing.join(', ')}: looking elsewhere`);
  }
  const versions = await pinnedVersions(moduleFolder);
  const place = cachePlace(env, versions, platform);
  if ((await damage(place.folder)) === undefined) {
    return binariesIn(place.folder);
  }
  await mkdir(place.root, { recursive: true });
  await withLock(`${place.folder}.lock`, progress, async () => {
    const reason = await damage(place.folder);
    if (reason === undefined) {
      return;
    }
    progress(`${place.folder} is ${reason}: filling it`);
    await fill(place, progress, [
      {
        name: 'envtest archive',
        into: (into) =>
          downloadEnvtest({
            indexUrl: options.indexUrl ?? publishedIndexUrl,
            kubernetes: versions.kubernetes,
            platform,
            into,
            progress,
          }),
      },
      {
        name: 'Go build',
        into: async (into) => {
          await buildWithGo({ moduleFolder, versions, env, packages, into, progress });
          await rename(join(into, etcdBuiltAs), join(into, 'etcd'));
        },
      },
    ]);
  });
  return binariesIn(place.folder);
}

interface Way {
  readonly name: string;
  readonly into: (folder: string) => Promise<unknown>;
}

/** Fills the cache by the first way that works; what is half-done never is where a reader looks. */
async function fill(
  place: CachePlace,
  progress: (line: string) => void,
  ways: readonly Way[],
): Promise<void> {
  const failures: string[] = [];
  const stagingPrefix = `${basename(place.folder)}.staging-`;
  for (const way of ways) {
    // We hold the lock: what others left here is of processes that died.
    for (const entry of await readdir(place.root)) {
      if (entry.startsWith(stagingPrefix)) {
        await rm(join(place.root, entry), { recursive: true, force: true });
      }
    }
    const staging = join(place.root, `${stagingPrefix}${randomUUID()}`);
    await mkdir(staging);
    try {
      await way.into(staging);
      await provenToRun(staging);
      await writeManifest(staging, way.name);
      await rm(place.folder, { recursive: true, force: true });
      await rename(staging, place.folder);
      progress(`${place.folder} is filled (${way.name})`);
      return;
    } catch (error) {
      await rm(staging, { recursive: true, force: true });
      const failure = `${way.name}: ${explain(error)}`;
      failures.push(failure);
      progress(failure);
    }
  }
  throw new Error(
    `no way to etcd, kube-apiserver and kubectl:\n${failures.join('\n')}\n` +
      'Point KUBEBUILDER_ASSETS to a folder that has them, allow access to github.com, or install Go.',
  );
}

/** The whole chain of causes: fetch says no more than "fetch failed" itself. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  return error.cause === undefined ? error.message : `${error.message}: ${explain(error.cause)}`;
}

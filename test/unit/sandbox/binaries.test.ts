import { execFile } from 'node:child_process';
import { mkdir, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ensureBinaries } from '../../sandbox/binaries/binaries.ts';
import { cachePlace } from '../../sandbox/binaries/cache-folder.ts';
import { moduleFolder, pinnedVersions } from '../../sandbox/binaries/versions.ts';
import {
  fakeArchive,
  fakeGo,
  originOf,
  platform,
  serveArchive,
  temporaryFolder,
  unreachable,
  writeFakeBinaries,
} from './fake-binaries.ts';

/** A machine with a `go` that makes fakes, an empty cache and no network. */
async function machine() {
  const folder = await temporaryFolder();
  const cache = join(folder, 'cache');
  const go = await fakeGo(folder);
  const env = { CONTEXT_SYNCER_CACHE: cache, PATH: go.path };
  const lines: string[] = [];
  const ensure = (options: { env?: NodeJS.ProcessEnv; indexUrl?: string } = {}) =>
    ensureBinaries({
      env: { ...env, ...options.env },
      indexUrl: options.indexUrl ?? unreachable,
      platform,
      progress: (line) => lines.push(line),
    });
  const cached = cachePlace(env, await pinnedVersions(moduleFolder), platform).folder;
  return { folder, cache, cached, go, env, ensure, lines };
}

describe('the ways to the binaries', () => {
  test('KUBEBUILDER_ASSETS comes first, and nothing is built or cached', async () => {
    const { folder, cache, ensure, go } = await machine();
    const assets = join(folder, 'assets');
    await writeFakeBinaries(assets, 'assets');

    const binaries = await ensure({ env: { KUBEBUILDER_ASSETS: assets } });

    expect(binaries.kubeApiserver).toBe(join(assets, 'kube-apiserver'));
    expect(await go.runs()).toBe(0);
    await expect(readdir(cache)).rejects.toThrow('ENOENT');
  });

  test('a KUBEBUILDER_ASSETS that lacks one of the three is reported and passed over', async () => {
    const { folder, ensure, lines } = await machine();
    const assets = join(folder, 'assets');
    await writeFakeBinaries(assets, 'assets');
    await rm(join(assets, 'kubectl'));

    const binaries = await ensure({ env: { KUBEBUILDER_ASSETS: assets } });

    expect(await originOf(binaries.etcd)).toBe('go');
    expect(lines.join('\n')).toContain(`${assets}, which is without kubectl`);
  });

  test('the published archive is downloaded, checked and cached', async () => {
    const { folder, cached, ensure, go } = await machine();
    const server = await serveArchive(await fakeArchive(folder));

    const binaries = await ensure({ indexUrl: server.indexUrl });
    const again = await ensure({ indexUrl: server.indexUrl });

    expect(binaries.etcd).toBe(join(cached, 'etcd'));
    expect(again).toEqual(binaries);
    expect(await originOf(binaries.kubectl)).toBe('archive');
    expect(server.requests).toEqual(['/index.yaml', '/envtest-v1.36.3-linux-amd64.tar.gz']);
    expect((await readdir(cached)).sort()).toEqual(['etcd', 'kube-apiserver', 'kubectl', 'manifest.json']);
    expect(await go.runs()).toBe(0);
  });

  test('an archive with another hash than published is not used', async () => {
    const { folder, ensure, lines } = await machine();
    const server = await serveArchive(await fakeArchive(folder), { sha512: 'ab'.repeat(64) });

    const binaries = await ensure({ indexUrl: server.indexUrl });

    expect(await originOf(binaries.etcd)).toBe('go');
    expect(lines.join('\n')).toContain('the index says abab');
  });

  test('without a network Go builds them, once', async () => {
    const { ensure, go } = await machine();

    const binaries = await ensure();
    await ensure();

    expect(await originOf(binaries.etcd)).toBe('go');
    expect(await go.runs()).toBe(1);
  });

  test('without any way every reason is reported, and what to do', async () => {
    const { folder, cache, ensure } = await machine();
    const nothing = join(folder, 'nothing');
    await mkdir(nothing);

    const failed = ensure({ env: { PATH: nothing } });

    await expect(failed).rejects.toThrow(
      /envtest archive: fetch failed: .*\nGo build: .*ENOENT[^]*install Go/,
    );
    expect(await readdir(cache)).toEqual([]);
  });
});

describe('the cache', () => {
  test('is filled by one of several processes that start at once', async () => {
    const { env, go } = await machine();
    const run = promisify(execFile);
    const script = join(import.meta.dirname, 'fill-cache.ts');

    const answers = await Promise.all(
      [1, 2, 3].map(() => run(process.execPath, [script, unreachable], { env })),
    );

    expect(new Set(answers.map(({ stdout }) => stdout)).size).toBe(1);
    expect(await go.runs()).toBe(1);
  });

  const damages: Record<string, (cached: string) => Promise<void>> = {
    'a missing program': (cached) => rm(join(cached, 'kubectl')),
    'a half-written program': (cached) => truncate(join(cached, 'kube-apiserver'), 10),
    'a program overwritten by as many other bytes': async (cached) => {
      const file = await open(join(cached, 'etcd'), 'r+');
      await file.write('X', 5);
      await file.close();
    },
    'a program that may not be executed': async (cached) => {
      await rm(join(cached, 'etcd'));
      await writeFile(join(cached, 'etcd'), '');
    },
    'no manifest': (cached) => rm(join(cached, 'manifest.json')),
    'a half-written manifest': (cached) => truncate(join(cached, 'manifest.json'), 20),
  };

  test.for(Object.entries(damages))('with %s is filled again', async ([, damage]) => {
    const { cached, ensure, go } = await machine();
    await ensure();
    await damage(cached);

    const binaries = await ensure();

    expect(await go.runs()).toBe(2);
    expect(await originOf(binaries.etcd)).toBe('go');
    await ensure();
    expect(await go.runs()).toBe(2);
  });

  test('loses what a process left behind that died while filling it', async () => {
    const { cache, cached, ensure } = await machine();
    await mkdir(`${cached}.staging-of-the-dead`, { recursive: true });

    await ensure();

    expect(await readdir(cache)).toEqual([cached.slice(cache.length + 1)]);
  });
});

import { chmod, copyFile, cp, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.ts';

/**
 * Stand-ins for the images that the Dockerfile's FROM lines name, made of Debian packages and this project's own Node, so that
 * no registry is needed. They have what the real ones have and the build depends on; the second has no shell either.
 */
export async function makeBaseImages(options: {
  /** The names in the FROM lines, in their order: the one that builds, and the one that runs. */
  readonly names: readonly [string, string];
  /** Keeps the Debian packages between runs. */
  readonly cache: string;
  readonly node: string;
  /** The folder of the npm that runs this. */
  readonly npm: string;
  /** What npm needs to reach its registry here: `npm_config_registry`, `NODE_EXTRA_CA_CERTS`. */
  readonly registry: string | undefined;
  readonly extraCa: string | undefined;
}): Promise<void> {
  const debian = await debianArchive(options.cache);
  await makeImage(options.names[0], debian, async (root) => {
    const bin = join(root, 'usr/local/bin');
    await mkdir(bin, { recursive: true });
    await copyFile(options.node, join(bin, 'node'));
    await chmod(join(bin, 'node'), 0o755);
    await cp(options.npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
    for (const name of ['npm', 'npx']) {
      await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(bin, name));
    }
    const env = options.registry === undefined ? [] : [`npm_config_registry=${options.registry}`];
    if (options.extraCa !== undefined) {
      await copyFile(options.extraCa, join(root, 'usr/local/share/extra-ca.pem'));
      env.push('NODE_EXTRA_CA_CERTS=/usr/local/share/extra-ca.pem');
    }
    return env;
  });
  await makeImage(options.names[1], debian, async (root) => {
    // distroless/cc has no programs, and no libatomic.
    await rm(join(root, 'usr/bin'), { recursive: true });
    await rm(join(root, 'usr/sbin'), { recursive: true });
    const libraries = join(root, 'usr/lib');
    for (const file of await readdir(libraries, { recursive: true })) {
      if (file.includes('libatomic.so')) await rm(join(libraries, file));
    }
    return [];
  });
}

/** A Debian root file system; made once. */
async function debianArchive(cache: string): Promise<string> {
  const archive = join(cache, 'image-base-bookworm.tar');
  const exists = await stat(archive).then(
    () => true,
    () => false,
  );
  if (!exists) {
    await mkdir(cache, { recursive: true });
    const unfinished = `${archive}.${process.pid}.tar`;
    await command(
      'mmdebstrap',
      '--variant=minbase',
      '--include=ca-certificates,libatomic1,libstdc++6',
      'bookworm',
      unfinished,
    );
    await command('mv', unfinished, archive);
  }
  return archive;
}

/** `fill` changes the root file system, and says which variables the image sets. */
async function makeImage(
  name: string,
  archive: string,
  fill: (root: string) => Promise<readonly string[]>,
): Promise<void> {
  const container = await command('buildah', 'from', 'scratch');
  try {
    const root = await command('buildah', 'mount', container);
    await command('tar', '--extract', `--file=${archive}`, `--directory=${root}`);
    const env = await fill(root);
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    await command('buildah', 'config', ...[path, ...env].map((one) => `--env=${one}`), container);
    await command('buildah', 'commit', '--quiet', container, name);
  } finally {
    await command('buildah', 'rm', container);
  }
}

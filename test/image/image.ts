import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cachePlace } from '../sandbox/binaries/cache-folder.ts';
import { moduleFolder, pinnedVersions } from '../sandbox/binaries/versions.ts';
import { trustedJson } from '../sandbox/json.ts';
import { makeBaseImages } from './base-images.ts';
import { command } from './command.ts';

const project = join(import.meta.dirname, '..', '..');
const tag = 'localhost/context-syncer:test';

/** The image, built by the Dockerfile, with its root file system mounted. */
export class Image {
  readonly root: string;
  readonly command: readonly string[];
  readonly user: string;
  readonly env: readonly string[];
  readonly #container: string;

  private constructor(container: string, root: string, config: OciConfig) {
    this.#container = container;
    this.root = root;
    this.command = config.Entrypoint;
    this.user = config.User;
    this.env = config.Env;
  }

  static async build(env: NodeJS.ProcessEnv): Promise<Image> {
    const npmCli = env['npm_execpath'];
    if (npmCli === undefined) throw new Error('run it as npm run test:image');
    const dockerfile = await readFile(join(project, 'Dockerfile'), 'utf8');
    await makeBaseImages({
      names: baseImageNames(dockerfile),
      cache: cachePlace(env, await pinnedVersions(moduleFolder), { os: 'any', arch: process.arch }).root,
      node: process.execPath,
      npm: dirname(dirname(npmCli)),
      registry: env['npm_config_registry'],
      extraCa: env['NODE_EXTRA_CA_CERTS'],
    });
    await command('buildah', 'bud', '--isolation=chroot', '--pull-never', `--tag=${tag}`, project);
    const container = await command('buildah', 'from', '--pull-never', tag);
    const root = await command('buildah', 'mount', container);
    const { OCIv1 } = trustedJson<{ OCIv1: { config: OciConfig } }>(
      await command('buildah', 'inspect', container),
    );
    return new Image(container, root, OCIv1.config);
  }

  /** Megabytes (MiB) of a folder of the image. */
  async size(folder: string): Promise<number> {
    const [size = ''] = (await command('du', '-sm', join(this.root, folder))).split('\t');
    return Number(size);
  }

  async remove(): Promise<void> {
    await command('buildah', 'rm', this.#container);
  }
}

interface OciConfig {
  readonly Entrypoint: readonly string[];
  readonly User: string;
  readonly Env: readonly string[];
}

/** The images of the FROM lines; the Dockerfile has two stages. */
function baseImageNames(dockerfile: string): readonly [string, string] {
  const version = /^ARG NODE_VERSION=(\S+)$/m.exec(dockerfile)?.[1] ?? '';
  const [build, run, ...more] = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, name = '']) =>
    name.replace('${NODE_VERSION}', version),
  );
  if (build === undefined || run === undefined || more.length > 0) {
    throw new Error('the Dockerfile is expected to have two stages');
  }
  return [build, run];
}

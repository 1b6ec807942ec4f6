import { mkdir, readlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Program } from '../harness/program.ts';
import type { Image } from './image.ts';

/** Where Kubernetes mounts the token of a pod's account. */
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface ContainerOptions {
  readonly image: Image;
  /** Of this machine; keeps what is mounted into the container. */
  readonly folder: string;
  readonly args: readonly string[];
  /** The API server as the pod sees it. */
  readonly server: { readonly url: string; readonly caPem: string };
  readonly token: string;
  readonly namespace: string;
  /** Files of a mounted ConfigMap, by name. */
  readonly config?: { readonly mountPath: string; readonly files: Readonly<Record<string, string>> };
}

/**
 * Starts the image's entry point as a kubelet would: as the image's user on a read-only root, with the account's token and
 * the configuration mounted. It shares the network of this machine.
 */
export async function startContainer(options: ContainerOptions): Promise<Program> {
  const { image, folder, args, server, token, namespace, config } = options;
  const { hostname, port } = new URL(server.url);
  const mounts = [
    {
      path: await resolvedIn(image.root, accountFolder),
      from: await filesIn(join(folder, 'account'), { token, namespace, 'ca.crt': server.caPem }),
    },
    ...(config === undefined
      ? []
      : [{ path: config.mountPath, from: await filesIn(join(folder, 'config'), config.files) }]),
  ];
  const root = join(folder, 'root');
  await mkdir(root);
  const script = [
    'set -e',
    `mount --bind '${image.root}' '${root}'`,
    // As container runtimes do, mount points are made before the root becomes read-only.
    ...mounts.map(({ path, from }) => `mkdir -p '${root}${path}' && mount --bind '${from}' '${root}${path}'`),
    `mkdir -p '${root}/proc' && mount -t proc proc '${root}/proc'`,
    `mount -o remount,ro,bind '${root}'`,
    // exec, so that signals reach the program itself. Root's capabilities go with its user.
    `exec chroot --userspec='${image.user}' --groups='' '${root}' "$@"`,
  ];
  return new Program(args, environmentOf(image, hostname, port), [
    'unshare',
    '--mount',
    'sh',
    '-c',
    script.join('\n'),
    'sh',
    ...image.command,
  ]);
}

/** A path of the image with its links followed inside the image: seen from outside, they would lead to this machine's. */
async function resolvedIn(root: string, path: string): Promise<string> {
  let resolved = '/';
  for (const name of path.split('/').filter((one) => one !== '')) {
    const next = join(resolved, name);
    const link = await readlink(join(root, next)).catch(() => undefined);
    resolved = link === undefined ? next : resolve(dirname(next), link);
  }
  return resolved;
}

function environmentOf(image: Image, host: string, port: string): Readonly<Record<string, string>> {
  const own: Record<string, string> = {};
  for (const entry of image.env) {
    const [name = ''] = entry.split('=', 1);
    own[name] = entry.slice(name.length + 1);
  }
  return { ...own, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port };
}

async function filesIn(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, name), text);
  }
  return folder;
}

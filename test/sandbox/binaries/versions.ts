import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where go.mod pins what the control planes are built from. */
export const moduleFolder = join(import.meta.dirname, '..');

/** Versions without the leading `v`. */
export interface Versions {
  readonly kubernetes: string;
  readonly etcd: string;
}

/** The versions that go.mod pins: one place says which control planes are meant, whichever way they come. */
export async function pinnedVersions(folder: string): Promise<Versions> {
  const text = await readFile(join(folder, 'go.mod'), 'utf8');
  return {
    kubernetes: versionOf(text, 'k8s.io/kubernetes'),
    etcd: versionOf(text, 'go.etcd.io/etcd/server/v3'),
  };
}

function versionOf(goMod: string, module: string): string {
  const line = goMod.split('\n').find((candidate) => candidate.trim().startsWith(`${module} v`));
  const version = line?.trim().split(' ')[1]?.slice(1);
  if (version === undefined) {
    throw new Error(`go.mod does not require ${module}`);
  }
  return version;
}

import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Versions } from './versions.ts';

export interface CachePlace {
  /** Shared by all versions. */
  readonly root: string;
  /** Of these versions on this platform. */
  readonly folder: string;
}

/** `$CONTEXT_SYNCER_CACHE`, else `$XDG_CACHE_HOME/context-syncer`, else `~/.cache/context-syncer`. */
export function cachePlace(
  env: NodeJS.ProcessEnv,
  versions: Versions,
  platform: { readonly os: string; readonly arch: string },
): CachePlace {
  const root =
    nonEmpty(env['CONTEXT_SYNCER_CACHE']) ??
    join(
      nonEmpty(env['XDG_CACHE_HOME']) ?? join(nonEmpty(env['HOME']) ?? homedir(), '.cache'),
      'context-syncer',
    );
  const key = `kubernetes-${versions.kubernetes}_etcd-${versions.etcd}_${platform.os}-${platform.arch}`;
  return { root, folder: join(root, key) };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

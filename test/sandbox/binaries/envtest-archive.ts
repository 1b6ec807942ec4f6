import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { parse } from 'yaml';
import { property } from '../json.ts';
import { binaryNames } from './binary-folder.ts';
import type { Platform } from './platform.ts';

/** Where the Kubernetes project publishes which archives there are, with their SHA-512. */
export const publishedIndexUrl =
  'https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml';

/** Without a network this is how long the next way has to wait. */
const indexTimeoutMs = 5000;
/** No byte for this long, and the download is given up. */
const stallTimeoutMs = 30_000;

interface Archive {
  readonly file: string;
  readonly url: string;
  readonly sha512: string;
}

export interface DownloadOptions {
  readonly indexUrl: string;
  /** The pinned version; another patch of the same minor will do. */
  readonly kubernetes: string;
  readonly platform: Platform;
  /** Exists, and gets the three programs. */
  readonly into: string;
  readonly progress: (line: string) => void;
}

/** Downloads the envtest archive for this platform, checks it against the index and unpacks it. Yields the file's name. */
export async function downloadEnvtest(options: DownloadOptions): Promise<string> {
  const answer = await fetch(options.indexUrl, { signal: AbortSignal.timeout(indexTimeoutMs) });
  if (!answer.ok) {
    throw new Error(`${options.indexUrl} answered ${answer.status}`);
  }
  const archive = chooseArchive(await answer.text(), options);
  options.progress(`downloading ${archive.url}`);
  const file = join(options.into, archive.file);
  await fetchChecked(archive, file, options.progress);
  await unpack(file, options.into);
  await rm(file);
  return archive.file;
}

/** From the index, the pinned version's archive, else the newest patch of the same minor. */
export function chooseArchive(
  index: string,
  { indexUrl, kubernetes, platform }: Pick<DownloadOptions, 'indexUrl' | 'kubernetes' | 'platform'>,
): Archive {
  const minor = kubernetes.split('.').slice(0, 2).join('.');
  const parsed: unknown = parse(index);
  const releases = property(parsed, 'releases');
  const versions = Object.keys(releases ?? {})
    .map((version) => version.slice(1))
    // A pre-release has more than digits after the second dot.
    .filter((version) => version.startsWith(`${minor}.`) && /^\d+$/.test(version.slice(minor.length + 1)))
    .sort((a, b) => preference(b, kubernetes) - preference(a, kubernetes));
  for (const version of versions) {
    const file = `envtest-v${version}-${platform.os}-${platform.arch}.tar.gz`;
    const entry = property(property(releases, `v${version}`), file);
    const sha512 = property(entry, 'hash');
    const link = property(entry, 'selfLink');
    if (typeof sha512 === 'string' && typeof link === 'string') {
      return { file, url: new URL(link, indexUrl).href, sha512 };
    }
  }
  throw new Error(`no envtest archive of ${minor} for ${platform.os}-${platform.arch} in ${indexUrl}`);
}

function preference(version: string, pinned: string): number {
  return version === pinned ? Number.POSITIVE_INFINITY : Number(version.split('.')[2]);
}

async function fetchChecked(archive: Archive, file: string, progress: (line: string) => void): Promise<void> {
  const abort = new AbortController();
  const stall = setTimeout(() => {
    abort.abort(new Error(`no byte from ${archive.url} for ${stallTimeoutMs / 1000} s`));
  }, stallTimeoutMs);
  const hash = createHash('sha512');
  let bytes = 0;
  let told = performance.now();
  const look = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      stall.refresh();
      hash.update(chunk);
      bytes += chunk.length;
      if (performance.now() - told > 3000) {
        told = performance.now();
        progress(`downloading: ${Math.round(bytes / 1e6)} MB`);
      }
      done(undefined, chunk);
    },
  });
  try {
    const answer = await fetch(archive.url, { signal: abort.signal });
    if (!answer.ok || answer.body === null) {
      throw new Error(`${archive.url} answered ${answer.status}`);
    }
    await pipeline(Readable.fromWeb(answer.body), look, createWriteStream(file));
  } finally {
    clearTimeout(stall);
  }
  const sha512 = hash.digest('hex');
  if (sha512 !== archive.sha512) {
    throw new Error(`${archive.url} has SHA-512 ${sha512}, the index says ${archive.sha512}`);
  }
}

/** The programs are in `controller-tools/envtest/`; nothing else of the archive is wanted. */
async function unpack(file: string, into: string): Promise<void> {
  const members = binaryNames.map((name) => `controller-tools/envtest/${name}`);
  const tar = spawn('tar', ['-xzf', file, '-C', into, '--strip-components=2', ...members], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', resolve);
  });
  const [status, complaint] = await Promise.all([ended, text(tar.stderr)]);
  if (status !== 0) {
    throw new Error(`tar could not unpack ${file}: ${complaint.trim()}`);
  }
}

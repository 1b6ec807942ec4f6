import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { property, trustedJson } from '../json.ts';
import { binaryNames, missingBinaries } from './binary-folder.ts';

const manifestName = 'manifest.json';

interface FileRecord {
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  readonly mtimeMs: number;
}

interface Manifest {
  /** The way they came, for people. */
  readonly origin: string;
  readonly files: Readonly<Record<string, FileRecord>>;
}

/** Records what is in `folder`, so that damage is noticed later. */
export async function writeManifest(folder: string, origin: string): Promise<void> {
  const files: Record<string, FileRecord> = {};
  for (const name of binaryNames) {
    const { size, mtimeMs } = await stat(join(folder, name));
    files[name] = { size, mtimeMs, sha256: await sha256(join(folder, name)) };
  }
  const manifest: Manifest = { origin, files };
  await writeFile(join(folder, manifestName), JSON.stringify(manifest, undefined, 2));
}

/**
 * Why `folder` cannot be used, or undefined if it is good. Hashing takes most of a second, so the content
 * is only read where the time of the last change is not the recorded one: after a copy, or after damage.
 */
export async function damage(folder: string): Promise<string | undefined> {
  const missing = await missingBinaries(folder);
  if (missing.length > 0) {
    return `without ${missing.join(', ')}`;
  }
  const recorded = property(await readManifest(folder), 'files');
  for (const name of binaryNames) {
    const record = property(recorded, name);
    const { size, mtimeMs } = await stat(join(folder, name));
    if (property(record, 'size') !== size) {
      return `${name} has another size than recorded`;
    }
    if (
      property(record, 'mtimeMs') !== mtimeMs &&
      property(record, 'sha256') !== (await sha256(join(folder, name)))
    ) {
      return `${name} has another content than recorded`;
    }
  }
  return undefined;
}

async function readManifest(folder: string): Promise<unknown> {
  try {
    return trustedJson<unknown>(await readFile(join(folder, manifestName), 'utf8'));
  } catch {
    return undefined;
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
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
  const manifest = await readManifest(folder);
  if (manifest === undefined) {
    return 'without a readable manifest';
  }
  for (const name of binaryNames) {
    const record = manifest.files[name];
    const { size, mtimeMs } = await stat(join(folder, name));
    if (record === undefined || record.size !== size) {
      return `${name} has another size than recorded`;
    }
    if (record.mtimeMs !== mtimeMs && record.sha256 !== (await sha256(join(folder, name)))) {
      return `${name} has another content than recorded`;
    }
  }
  return undefined;
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    // Only writeManifest writes it; a damaged one does not parse, or lacks a record that is then asked for.
    const manifest = JSON.parse(
      await readFile(join(folder, manifestName), 'utf8'),
    ) as Partial<Manifest> | null;
    return manifest?.files === undefined
      ? undefined
      : { origin: manifest.origin ?? '', files: manifest.files };
  } catch {
    return undefined;
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

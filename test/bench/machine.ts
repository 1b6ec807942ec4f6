import { readFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { property } from '../sandbox/json.ts';
import type { Machine } from './result.ts';

/** The program's version, and the machine that this runs on. */
export async function machine(): Promise<{ readonly version: string; readonly described: Machine }> {
  const manifest: unknown = JSON.parse(
    await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  const processors = cpus();
  return {
    version: String(property(manifest, 'version')),
    described: {
      cpu: processors[0]?.model ?? 'unknown',
      cores: processors.length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
      node: process.version,
    },
  };
}

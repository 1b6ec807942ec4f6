import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';

/** The version in the package.json that this file belongs to, from the sources as from `dist/`. */
export async function programVersion(): Promise<string> {
  const path = findPackageJSON(import.meta.url);
  const content: unknown = path === undefined ? undefined : JSON.parse(await readFile(path, 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content
    ? String(content.version)
    : 'unknown';
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { trustedJson } from '../../sandbox/json.ts';

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..', '..', '..');

/** Prints the packages that were loaded, by their paths as package-lock.json has them, when the process ends. */
const record = `
import { registerHooks } from 'node:module';
const packages = new Set();
registerHooks({
  load(url, context, next) {
    const found = /(?:node_modules\\/(?:@[^/]+\\/)?[^/]+\\/)+/.exec(url);
    if (found !== null) packages.add(found[0].slice(0, -1));
    return next(url, context);
  },
});
process.on('exit', () => process.stderr.write('\\n' + JSON.stringify([...packages])));
`;

/** The packages that a process loads which imports this file with these arguments, and does nothing else. */
async function packagesOf(file: string, args: readonly string[] = []): Promise<readonly string[]> {
  const hooks = `data:text/javascript,${encodeURIComponent(record)}`;
  const load = `await import(${JSON.stringify(pathToFileURL(join(root, file)).href)})`;
  const { stderr } = await promisify(execFile)(process.execPath, [
    '--import',
    hooks,
    ...(args.length === 0 ? ['--input-type=module', '--eval', load] : [join(root, file), ...args]),
  ]);
  return trustedJson(stderr.slice(stderr.lastIndexOf('\n')));
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
}

const { packages: locked } = trustedJson<Lock>(await readFile(join(root, 'package-lock.json'), 'utf8'));

/** Those that an image does not have, or need not have, and that cost up to half a second of a start. */
function unexpected(packages: readonly string[]): readonly string[] {
  return packages.filter((path) => {
    const { dev, optional } = locked[path] ?? {};
    return dev === true || optional === true;
  });
}

test.each([
  ['controller/main.ts', 'undici'],
  ['webhook/main.ts', 'express'],
])('%s loads no optional package and none for development', async (file, needed) => {
  const packages = await packagesOf(file);
  expect(packages).toContain(`node_modules/${needed}`);
  expect(unexpected(packages)).toEqual([]);
});

test('the help loads no package that talks to a server', async () => {
  const packages = await packagesOf('cli/main.ts', ['controller', '--help']);
  expect(packages).toContain('node_modules/commander');
  expect(packages).not.toContain('node_modules/undici');
  expect(packages).not.toContain('node_modules/express');
  expect(unexpected(packages)).toEqual([]);
});

test('client-node, which would cost every start 0.2 s and 50 MB, is for development', () => {
  expect(unexpected(['node_modules/@kubernetes/client-node'])).toHaveLength(1);
});

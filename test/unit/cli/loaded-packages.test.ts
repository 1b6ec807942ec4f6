import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { trustedJson } from '../../sandbox/json.ts';

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..', '..', '..');

/** Prints the packages that were loaded, when the process ends. */
const record = `
import { registerHooks } from 'node:module';
const packages = new Set();
registerHooks({
  load(url, context, next) {
    const found = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url);
    if (found !== null) packages.add(found[1]);
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

/** They cost tens of megabytes and up to half a second of every start. */
const onDemand = /^(@kubernetes|@aws-sdk|@smithy|@azure)\/|^(google-auth-library|openid-client)$/;

test.each([
  ['controller/main.ts', 'undici'],
  ['webhook/main.ts', 'express'],
])('%s loads no package that few clusters need', async (file, needed) => {
  const packages = await packagesOf(file);
  expect(packages).toContain(needed);
  expect(packages.filter((name) => onDemand.test(name))).toEqual([]);
});

test('the help loads no package that talks to a server', async () => {
  const packages = await packagesOf('cli/main.ts', ['controller', '--help']);
  expect(packages).toContain('commander');
  expect(packages.filter((name) => name === 'undici' || name === 'express' || onDemand.test(name))).toEqual(
    [],
  );
});

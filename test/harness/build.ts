import { execFile } from 'node:child_process';
import { glob, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The built program, as `bin` of package.json names it. */
export const programFile = join(root, 'dist', 'cli', 'main.js');

/** What the build reads. */
const inputs = ['{certs,cli,controller,shared,webhook}/**/*.ts', 'package.json', 'tsconfig*.json'];
/** Written last, and only by a build that succeeded. */
const stampFile = join(root, 'dist', '.built');

/**
 * Builds the program with the project's own command, unless what is there is newer than all that it is built from: a
 * build empties `dist`, and would pull the program from under whoever runs it.
 */
export async function buildProgram(): Promise<void> {
  if (!(await isUpToDate())) {
    await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: root });
  }
}

/** Before the end-to-end tests: they run what a user runs. */
export async function setup(): Promise<void> {
  await buildProgram();
}

async function isUpToDate(): Promise<boolean> {
  const built = await modified(stampFile);
  for await (const input of glob(inputs, { cwd: root })) {
    if ((await modified(join(root, input))) >= built) {
      return false;
    }
  }
  return built > 0;
}

/** Milliseconds since the Unix epoch; 0 for a file that does not exist. */
async function modified(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return 0;
  }
}

import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The built program, as `bin` of package.json names it. */
export const programFile = join(root, 'dist', 'cli', 'main.js');

/** Builds the program with the project's own command. */
export async function buildProgram(): Promise<void> {
  await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: root });
}

/** Before the end-to-end tests: they run what a user runs. */
export async function setup(): Promise<void> {
  await buildProgram();
}

import { execFile } from 'node:child_process';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programFile } from '../harness/build.ts';

const exec = promisify(execFile);
/** The last commit of 0.1. */
const commit = 'bf46fbd';
const root = join(programFile, '..', '..', '..');

/** The file of 0.1, built from the history of this repository unless it was before. In the project, so that it finds its packages. */
export async function ensureOldRelease(): Promise<string> {
  const folder = join(root, '.sandbox', `release-${commit}`);
  try {
    await access(join(folder, 'dist', '.built'));
  } catch {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const archive = join(folder, 'source.tar');
    await exec('git', ['archive', `--output=${archive}`, commit], { cwd: root });
    await exec('tar', ['xf', archive], { cwd: folder });
    await exec('npm', ['run', '--silent', 'build'], { cwd: folder });
  }
  return join(folder, 'dist', 'cli', 'main.js');
}

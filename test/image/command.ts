import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs a program and yields its standard output, without the last line break. Throws with its output when it fails. */
export async function command(program: string, ...args: readonly string[]): Promise<string> {
  // A build writes much; the default of 1 MiB would kill it.
  const { stdout } = await run(program, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trimEnd();
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Runs a program and yields its standard output, without the last line break. Throws with its errors when it fails. */
export async function command(program: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  if (child.exitCode !== 0) {
    throw new Error(`${program} ${args.join(' ')} failed: ${output.slice(-2000)}${errors.slice(-4000)}`);
  }
  return output.trimEnd();
}

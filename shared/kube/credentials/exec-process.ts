import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { errorCode } from '../errors.ts';

/** One run of a plugin. */
export interface PluginCommand {
  /** Absolute. */
  readonly path: string;
  readonly args: readonly string[];
  /** All that it gets. */
  readonly env: Readonly<Record<string, string>>;
  /** Kills it. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

export type PluginOutcome =
  | { readonly ended: 'well'; readonly stdout: string }
  | { readonly ended: 'exit'; readonly code: number | undefined; readonly signal: string | undefined }
  | { readonly ended: 'too much output' | 'aborted' }
  | { readonly ended: 'not started'; readonly code: string };

export type PluginResult = PluginOutcome & {
  /** The last of what it wrote to its standard error: printable characters, at most `stderrBytes`. */
  readonly stderr: string;
};

/** Bytes of an answer: an ExecCredential with a chain of certificates has some 10 kB. */
export const stdoutBytes = 1024 * 1024;
export const stderrBytes = 1024;
/** What a plugin left behind in a group of its own can hold the pipes: nobody waits for it longer than this. */
const pipesMs = 250;

/**
 * Runs a plugin without a shell and without standard input, in a process group of its own. The group is killed when the
 * plugin ends, prints too much or is aborted, so that what it forked goes, too. Never rejects.
 */
export function runPlugin(command: PluginCommand): Promise<PluginResult> {
  const { signal, clock } = command;
  return new Promise((resolve) => {
    let child: Plugin;
    try {
      child = start(command);
    } catch (error) {
      resolve({ ended: 'not started', code: errorCode(error), stderr: '' });
      return;
    }
    const stdout = collect(child.stdout, stdoutBytes, () => {
      finish({ ended: 'too much output' });
    });
    const stderr = collect(child.stderr, Infinity, () => undefined);
    const onAbort = (): void => {
      finish({ ended: 'aborted' });
    };
    let settled = false;
    const finish = (outcome: PluginOutcome): void => {
      if (settled) {
        return;
      }
      settled = true;
      signal.removeEventListener('abort', onAbort);
      if (child.exitCode === null && child.signalCode === null) {
        killGroup(child.pid);
      }
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ ...outcome, stderr: printable(stderr()) });
    };
    const ended = (): void => {
      const { exitCode, signalCode } = child;
      finish(
        exitCode === 0
          ? { ended: 'well', stdout: stdout().toString('utf8') }
          : { ended: 'exit', code: exitCode ?? undefined, signal: signalCode ?? undefined },
      );
    };
    child.on('error', (error) => {
      finish({ ended: 'not started', code: errorCode(error) });
    });
    child.on('close', ended);
    child.on('exit', () => {
      // At once, while nobody else can have the number.
      killGroup(child.pid);
      clock.schedule(pipesMs, ended);
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) {
      onAbort();
    }
  });
}

type Plugin = ChildProcessByStdio<null, Readable, Readable>;

/** Throws what the operating system refuses at once, such as too many arguments; other failures are events. */
function start({ path, args, env }: PluginCommand): Plugin {
  return spawn(path, args, { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Gathers a stream: at most `limit` bytes, or, where that is Infinity, its last `stderrBytes`. */
function collect(stream: Readable, limit: number, onTooMuch: () => void): () => Buffer {
  let chunks: Buffer[] = [];
  let size = 0;
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) {
      chunks = [];
      onTooMuch();
      return;
    }
    chunks =
      limit === Infinity ? [Buffer.concat([...chunks, chunk]).subarray(-stderrBytes)] : [...chunks, chunk];
  });
  return () => Buffer.concat(chunks);
}

/** A process group has the number of the process that began it. Nothing is left of one that ended by itself. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) {
    return;
  }
  try {
    // oxlint-disable-next-line eslint/no-restricted-globals -- ChildProcess.kill reaches the child alone, not what it forked.
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: it is gone.
  }
}

function printable(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
}

/**
 * The keeper: owns the processes of one sandbox, so that none of them outlives the process that asked for
 * them, however that one ends. Its stdin is a pipe from its parent; when the parent is gone, even by SIGKILL,
 * the pipe ends, and the keeper kills what it started and removes the folder.
 *
 * Usage: node keeper-process.ts FOLDER
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { trustedJson } from '../json.ts';
import type { KeeperMessage, KeeperRequest } from './keeper-protocol.ts';

const folder = process.argv[2];
if (folder === undefined) {
  throw new Error('usage: keeper-process.ts FOLDER');
}

interface Kept {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  /** Its end is a failure, unless we kill it. */
  expectedToStay: boolean;
}

const kept = new Map<string, Kept>();
let keepLogs = false;
let ending: Promise<void> | undefined;

function say(message: KeeperMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function start(request: KeeperRequest & { do: 'start' }): void {
  const log = openSync(request.logFile, 'a', 0o600);
  const child = spawn(request.command, request.args, { cwd: request.folder, stdio: ['ignore', log, log] });
  closeSync(log);
  child.once('error', (error) => {
    if (child.pid === undefined) {
      say({ kind: 'failed', id: request.id, error: error.message });
    }
  });
  const { pid } = child;
  if (pid === undefined) {
    return;
  }
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      // SIGKILL comes from us: a test's `kill`, or the end of all.
      if (kept.get(request.name)?.expectedToStay === true && signal !== 'SIGKILL') {
        keepLogs = true;
      }
      kept.delete(request.name);
      say({ kind: 'exited', name: request.name, pid, how: signal ?? `exit status ${code}` });
      resolve();
    });
  });
  kept.set(request.name, { child, exited, expectedToStay: false });
  say({ kind: 'done', id: request.id, pid });
}

function signal(request: KeeperRequest & { do: 'signal' }): void {
  const process = kept.get(request.name);
  if (process === undefined) {
    say({ kind: 'failed', id: request.id, error: `${request.name} is not running` });
    return;
  }
  process.child.kill(request.signal);
  say({ kind: 'done', id: request.id });
}

/** Once, however many ask: exiting while another call still cleans up would leave things behind. */
function end(root: string): Promise<void> {
  ending ??= endAll(root);
  return ending;
}

/** SIGKILL also ends what is stopped by SIGSTOP, and throw-away data needs no clean shutdown. */
async function endAll(root: string): Promise<void> {
  const all = [...kept.values()];
  for (const { child } of all) {
    child.kill('SIGKILL');
  }
  await Promise.all(all.map(({ exited }) => exited));
  const doomed = keepLogs ? readdirSync(root).filter((entry) => entry !== 'logs') : [''];
  for (const entry of doomed) {
    rmSync(join(root, entry), { recursive: true, force: true });
  }
}

async function endAndExit(root: string): Promise<void> {
  await end(root);
  process.exit(0);
}

async function handle(request: KeeperRequest, root: string): Promise<void> {
  switch (request.do) {
    case 'start':
      start(request);
      return;
    case 'signal':
      signal(request);
      return;
    case 'expectToStay': {
      const running = kept.get(request.name);
      if (running !== undefined) {
        running.expectedToStay = true;
      }
      say({ kind: 'done', id: request.id });
      return;
    }
    case 'keepLogs':
      keepLogs = true;
      say({ kind: 'done', id: request.id });
      return;
    case 'end':
      await end(root);
      say({ kind: 'done', id: request.id });
      return;
  }
}

// The parent may be gone while we still tell it of exits: that must not keep us from cleaning up.
process.stdout.on('error', () => {});
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => void endAndExit(folder));
}
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  void handle(trustedJson<KeeperRequest>(line), folder);
});
lines.once('close', () => void endAndExit(folder));

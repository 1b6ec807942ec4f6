import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { trustedJson } from '../json.ts';

/** Who holds a lock, as written into its file. */
interface Owner {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  /** When that process started, in the kernel's own unit; tells it from a later one with the same pid. */
  readonly started: string | undefined;
}

/** An owner on another machine or in another container cannot be looked at; no build takes this long. */
const foreignOwnerTimeoutMs = 45 * 60_000;
const pollMs = 200;
const tellEveryMs = 5000;

/**
 * Runs `work` while holding the lock file `path`. Waits for another living process that holds it; a lock whose
 * owner is gone is taken over. Two owners after a race for a dead owner's lock would cost work twice, no
 * more: what is made is put into place by a rename.
 */
export async function withLock<T>(
  path: string,
  progress: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const owner: Owner = {
    id: randomUUID(),
    pid: process.pid,
    host: hostname(),
    started: await startOf(process.pid),
  };
  await acquire(path, owner, progress);
  try {
    return await work();
  } finally {
    if ((await readOwner(path))?.id === owner.id) {
      await rm(path, { force: true });
    }
  }
}

async function acquire(path: string, owner: Owner, progress: (line: string) => void): Promise<void> {
  const draft = `${path}.${owner.id}`;
  // A link puts the lock there with its content at once: nobody ever reads a lock without an owner.
  await writeFile(draft, JSON.stringify(owner));
  let waited = 0;
  try {
    while (!(await linked(draft, path))) {
      const holder = await readOwner(path);
      if (holder !== undefined && !(await isAlive(path, holder))) {
        await takeAway(path, holder);
        continue;
      }
      if (waited % tellEveryMs === 0) {
        progress(`waiting for process ${holder?.pid ?? '?'}, which prepares the same (${path})`);
      }
      await sleep(pollMs);
      waited += pollMs;
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) {
      return false;
    }
    throw error;
  }
}

/** Moves a dead owner's lock aside; puts it back if it turns out to be another's by now. */
async function takeAway(path: string, dead: Owner): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isCode(error, 'ENOENT')) {
      return;
    }
    throw error;
  }
  if ((await readOwner(aside))?.id !== dead.id) {
    await linked(aside, path);
  }
  await rm(aside, { force: true });
}

/** Undefined when there is none. A file that is not a lock of ours counts as one whose owner is gone. */
async function readOwner(path: string): Promise<Owner | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return trustedJson<Owner>(text);
  } catch {
    return { id: '', pid: 0, host: hostname(), started: undefined };
  }
}

async function isAlive(path: string, owner: Owner): Promise<boolean> {
  if (owner.host !== hostname()) {
    const { mtimeMs } = await stat(path);
    return Date.now() - mtimeMs < foreignOwnerTimeoutMs;
  }
  if (owner.pid <= 0) {
    return false;
  }
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it is there, and another user's.
    return isCode(error, 'EPERM');
  }
  return owner.started === (await startOf(owner.pid));
}

/** Linux only; elsewhere a pid alone has to do. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Field 22 (proc(5)); the name before it is in parentheses and may hold blanks.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

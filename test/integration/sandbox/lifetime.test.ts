import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { trustedJson } from '../../sandbox/json.ts';
import { freePort } from '../../sandbox/network/free-port.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';

/** Gone, or a zombie that waits for a parent which does not ask: the container's first process may be such a one. */
async function isGone(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return true;
  }
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return status.slice(status.lastIndexOf(')') + 2).startsWith('Z');
}

async function areGone(pids: readonly number[]): Promise<boolean> {
  return (await Promise.all(pids.map(isGone))).every(Boolean);
}

/** A sandbox of another process. */
async function sandboxOfAnother(...args: string[]) {
  const parent = spawn(process.execPath, [join(import.meta.dirname, 'sandbox-parent.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => {
    parent.kill('SIGKILL');
  });
  const [line]: string[] = await new Promise((resolve) => {
    createInterface({ input: parent.stdout }).once('line', (text) => resolve([text]));
  });
  const made = trustedJson<{ pids: number[]; folder: string }>(line ?? '');
  return { parent, ...made };
}

test('stop ends every process and removes the folder, also of a paused server', async () => {
  const sandbox = await startSandbox({ targets: 1 });
  const pids = [sandbox.keeperPid, ...[sandbox.source, ...sandbox.targets].flatMap(({ pids }) => pids)];
  expect(await Promise.all(pids.map(isGone))).toEqual(pids.map(() => false));
  await sandbox.source.pause();

  await sandbox.stop();

  expect(await areGone(pids)).toBe(true);
  expect(existsSync(sandbox.folder)).toBe(false);
  await sandbox.stop();
});

test.for([
  { how: 'SIGINT', args: [] },
  { how: 'SIGKILL', args: ['--paused'] },
] as const)('nothing outlives a parent that ends by $how $args', async ({ how, args }) => {
  const { parent, pids, folder } = await sandboxOfAnother(...args);
  expect(await areGone(pids)).toBe(false);
  expect(existsSync(folder)).toBe(true);

  parent.kill(how);

  await expect.poll(() => areGone(pids), { timeout: 20_000 }).toBe(true);
  expect(existsSync(folder)).toBe(false);
});

test('nothing outlives a parent that throws', async () => {
  const { pids, folder } = await sandboxOfAnother('--throw');
  await expect.poll(() => areGone(pids), { timeout: 20_000 }).toBe(true);
  expect(existsSync(folder)).toBe(false);
});

test('servers do not outlive their keeper, even if that is killed', async () => {
  const sandbox = await startSandbox({ targets: 0 });
  onTestFinished(() => rm(sandbox.folder, { recursive: true, force: true }));
  process.kill(sandbox.keeperPid, 'SIGKILL');
  await expect.poll(() => areGone(sandbox.source.pids), { timeout: 20_000 }).toBe(true);
  await expect(sandbox.stop()).rejects.toThrow('the keeper of the sandbox is gone');
});

test('a port that somebody else takes first is replaced by another', async () => {
  const other = createServer();
  other.listen(await freePort(), '127.0.0.1');
  await once(other, 'listening');
  onTestFinished(() => {
    other.close();
  });
  const address = other.address();
  const taken = typeof address === 'object' && address !== null ? address.port : 0;
  const ports = [taken];

  const sandbox = await startSandbox({
    targets: 0,
    pickPort: async () => ports.shift() ?? (await freePort()),
  });

  expect(sandbox.source.port).not.toBe(taken);
  expect((await sandbox.source.request('GET', '/version')).status).toBe(200);
  await sandbox.stop();
  // It went well in the end.
  expect(existsSync(sandbox.folder)).toBe(false);
});

test('a sandbox that does not start says why, keeps its logs and nothing else', async () => {
  // Port 0 is refused by kube-apiserver: no other port would help.
  const failed = await startSandbox({ targets: 0, pickPort: () => Promise.resolve(0) }).catch(
    (error: unknown) => error,
  );

  const message = String(failed);
  const logFolder = /logs: (\S+);?/.exec(message)?.[1]?.replace(/:$/, '') ?? '';
  onTestFinished(() => rm(join(logFolder, '..'), { recursive: true, force: true }));
  expect(message).toContain('kube-apiserver of source ended (exit status 1)');
  expect(await readFile(join(logFolder, 'source-kube-apiserver.log'), 'utf8')).toContain('secure-port');
  expect(existsSync(join(logFolder, '..', 'source'))).toBe(false);
});

test('logs are kept when a server ends by itself', async () => {
  const sandbox = await startSandbox({ targets: 0 });
  onTestFinished(() => rm(sandbox.folder, { recursive: true, force: true }));
  const [, apiServer = 0] = sandbox.source.pids;
  process.kill(apiServer, 'SIGABRT');
  await expect.poll(() => isGone(apiServer)).toBe(true);
  await sandbox.stop();
  expect(existsSync(join(sandbox.logFolder, 'source-etcd.log'))).toBe(true);
});

test('logs outlive the sandbox where they were asked for', async () => {
  const sandbox = await startSandbox({ targets: 0 });
  onTestFinished(() => rm(sandbox.folder, { recursive: true, force: true }));
  await sandbox.keepLogs();
  await sandbox.stop();
  expect(existsSync(join(sandbox.logFolder, 'source-etcd.log'))).toBe(true);
  expect(existsSync(join(sandbox.folder, 'source'))).toBe(false);
});

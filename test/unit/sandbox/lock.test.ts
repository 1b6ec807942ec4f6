import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../../sandbox/binaries/lock.ts';
import { temporaryFolder } from './fake-binaries.ts';

const ignore = (): void => {};

test('works one at a time, and leaves nothing behind', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'lock');
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    inside++;
    most = Math.max(most, inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };

  await Promise.all(Array.from({ length: 5 }, () => withLock(path, ignore, work)));

  expect(most).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test('is released when the work fails', async () => {
  const path = join(await temporaryFolder(), 'lock');
  await expect(withLock(path, ignore, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await withLock(path, ignore, () => Promise.resolve('next'))).toBe('next');
});

test('reports whom it waits for', async () => {
  const path = join(await temporaryFolder(), 'lock');
  const told = Promise.withResolvers<string>();
  await withLock(path, ignore, async () => {
    const second = withLock(path, told.resolve, () => Promise.resolve());
    expect(await told.promise).toContain(`waiting for process ${process.pid}`);
    return { second };
  }).then(({ second }) => second);
});

async function pidOfTheDead(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

test('a lock whose owner died is taken over', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'lock');
  await writeFile(
    path,
    JSON.stringify({ id: 'old', pid: await pidOfTheDead(), host: hostname(), started: '1' }),
  );

  expect(await withLock(path, ignore, () => Promise.resolve('mine'))).toBe('mine');
  expect(await readdir(folder)).toEqual([]);
});

test('a lock whose owner died is taken over by one of many at a time', async () => {
  const path = join(await temporaryFolder(), 'lock');
  await writeFile(path, JSON.stringify({ id: 'old', pid: await pidOfTheDead(), host: hostname() }));
  let done = 0;
  await Promise.all(
    Array.from({ length: 5 }, () =>
      withLock(path, ignore, () => {
        done++;
        return Promise.resolve();
      }),
    ),
  );
  expect(done).toBe(5);
});

test('a lock whose owner died is taken over although its pid was given to another process', async () => {
  const path = join(await temporaryFolder(), 'lock');
  await writeFile(
    path,
    JSON.stringify({ id: 'old', pid: process.pid, host: hostname(), started: 'earlier' }),
  );
  expect(await withLock(path, ignore, () => Promise.resolve('mine'))).toBe('mine');
});

test('a file that is no lock counts as a dead owner', async () => {
  const path = join(await temporaryFolder(), 'lock');
  await writeFile(path, '{"id":"ha');
  expect(await withLock(path, ignore, () => Promise.resolve('mine'))).toBe('mine');
});

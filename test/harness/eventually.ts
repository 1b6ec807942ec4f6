import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Calls `look` until it stops throwing, and yields what it returned. Fails with its last error after `timeoutMs`, so
 * that a test waits for a condition, never for a time.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: error });
      }
    }
    await sleep(20);
  }
}

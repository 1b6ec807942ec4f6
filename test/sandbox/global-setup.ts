import { ensureBinaries } from './binaries/binaries.ts';

/** Before any test of the upper floors: the wait for the binaries happens once, outside of tests' timeouts. */
export async function setup(): Promise<void> {
  await ensureBinaries({ env: process.env, progress: (line) => console.error(line) });
}

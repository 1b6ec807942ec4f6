import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from './sandbox.ts';

/**
 * One sandbox for all tests of a file: started before the first, stopped after the last. When a test fails, the
 * control planes' logs are kept and their place is printed. The returned function gives the sandbox, inside tests and hooks.
 */
export function useSandbox(options: SandboxOptions): () => Sandbox {
  let sandbox: Sandbox | undefined;
  const get = (): Sandbox => {
    if (sandbox === undefined) {
      throw new Error('the sandbox is there inside tests and hooks only');
    }
    return sandbox;
  };
  beforeAll(async () => {
    sandbox = await startSandbox(options);
  });
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      await get().keepLogs();
      console.error(`logs of the control planes: ${get().logFolder}`);
    });
  });
  afterAll(async () => {
    await sandbox?.stop();
  });
  return get;
}

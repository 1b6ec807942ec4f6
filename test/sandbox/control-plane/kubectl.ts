import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface KubectlResult {
  readonly stdout: string;
  readonly stderr: string;
  /** 0 is success; 128 where a signal ended it. */
  readonly exitCode: number;
}

export interface KubectlOptions {
  /** What `-f -` reads. */
  readonly stdin?: string;
  /** A kubeconfig file instead of the admin's. */
  readonly kubeconfig?: string;
  /** A failure is a result, too. */
  readonly allowFailure?: boolean;
}

/** kubectl ended with a failure that the caller did not expect. */
export class KubectlError extends Error {
  override readonly name = 'KubectlError';
  readonly result: KubectlResult;

  constructor(args: readonly string[], result: KubectlResult) {
    super(`kubectl ${args.join(' ')}: exit status ${result.exitCode}: ${result.stderr.trim()}`);
    this.result = result;
  }
}

/** Runs the sandbox's own kubectl; `cacheFolder` keeps its discovery cache out of the user's home. */
export async function runKubectl(
  place: { readonly binary: string; readonly kubeconfig: string; readonly cacheFolder: string },
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<KubectlResult> {
  const child = spawn(place.binary, args, {
    env: {
      PATH: process.env['PATH'],
      HOME: place.cacheFolder,
      KUBECACHEDIR: place.cacheFolder,
      KUBECONFIG: options.kubeconfig ?? place.kubeconfig,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const closed = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 128));
  });
  // It may end without reading all of its input.
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');
  const [exitCode, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
  const result = { stdout, stderr, exitCode };
  if (exitCode !== 0 && options.allowFailure !== true) {
    throw new KubectlError(args, result);
  }
  return result;
}

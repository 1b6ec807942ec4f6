import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Versions } from './versions.ts';

const tellEveryMs = 5000;
/** How many of the last lines an error repeats. */
const complaintLines = 15;

export interface GoBuildOptions {
  /** Where go.mod is. */
  readonly moduleFolder: string;
  readonly versions: Versions;
  readonly env: NodeJS.ProcessEnv;
  /** Of programs, of those that go.mod names as its tools. Each is named after the last element of its path. */
  readonly packages: readonly string[];
  /** Exists, and gets the programs. */
  readonly into: string;
  readonly progress: (line: string) => void;
}

/** Builds programs with the Go toolchain on the PATH. About 5 minutes on 2 cores the first time. */
export async function buildWithGo(options: GoBuildOptions): Promise<void> {
  const { kubernetes } = options.versions;
  const [major = '', minor = ''] = kubernetes.split('.');
  const stamp = 'k8s.io/component-base/version';
  const flags = [
    // Without symbols the programs have half the size.
    '-s -w',
    // Otherwise they would call themselves v0.0.0, and kubectl would warn of the difference.
    `-X ${stamp}.gitVersion=v${kubernetes} -X ${stamp}.gitMajor=${major} -X ${stamp}.gitMinor=${minor}`,
  ].join(' ');
  const go = spawn(
    'go',
    ['build', '-v', '-trimpath', `-ldflags=${flags}`, '-o', `${options.into}/`, ...options.packages],
    {
      cwd: options.moduleFolder,
      env: { ...options.env, GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const began = performance.now();
  const lines: string[] = [];
  const report = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 1000);
    options.progress(
      `building with Go: ${seconds} s, ${lines.length} packages (once; about 5 minutes on 2 cores)`,
    );
  }, tellEveryMs);
  try {
    createInterface({ input: go.stderr }).on('line', (line) => lines.push(line));
    await once(go, 'close');
    if (go.exitCode !== 0) {
      throw new Error(`go build failed:\n${lines.slice(-complaintLines).join('\n')}`);
    }
  } finally {
    clearInterval(report);
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { trustedJson } from '../sandbox/json.ts';
import { programFile } from './build.ts';
import { eventually } from './eventually.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of the program's JSON log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A running context-syncer, as a user would run it: the built program, its flags, its output. */
export class Program {
  readonly #child: ChildProcess;
  readonly #exit: Promise<Exit>;
  #output = '';

  /** Starts `context-syncer ARGS`: under the Node that runs the tests, unless another command is given. */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    [command, ...first]: readonly [string, ...string[]] = [process.execPath, programFile],
  ) {
    this.#child = spawn(command, [...first, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...env },
    });
    const collect = (chunk: Buffer): void => {
      this.#output += chunk.toString('utf8');
    };
    this.#child.stdout?.on('data', collect);
    this.#child.stderr?.on('data', collect);
    this.#exit = once(this.#child, 'close').then(() => ({
      code: this.#child.exitCode,
      signal: this.#child.signalCode,
    }));
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new Error('the program did not start');
    }
    return pid;
  }

  /** Everything it has written so far, both streams. */
  get output(): string {
    return this.#output;
  }

  /** The parsed lines of its log so far. */
  get log(): readonly LogLine[] {
    return this.#output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .flatMap((line) => {
        try {
          return [trustedJson<LogLine>(line)];
        } catch {
          return []; // the last line may be half written
        }
      });
  }

  get exited(): Promise<Exit> {
    return this.#exit;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Where health and metrics are served: taken from the log, since tests use port 0. */
  async endpoint(kind: 'health' | 'metrics'): Promise<string> {
    return await eventually(`the ${kind} endpoint is served`, () => {
      const line = this.log.find(({ msg }) => msg === 'health and metrics are served');
      const port = line?.[`${kind}Port`];
      if (typeof port !== 'number') {
        throw new Error(`not yet; output: ${this.#output.slice(-2000)}`);
      }
      return `http://127.0.0.1:${port}`;
    });
  }

  /** Waits until it says that it is ready. */
  async ready(): Promise<void> {
    const health = await this.endpoint('health');
    await eventually('the program is ready', async () => {
      const answer = await fetch(`${health}/readyz?verbose`);
      if (answer.status !== 200) {
        throw new Error(await answer.text());
      }
    });
  }

  /** SIGTERM, and waits for the end. */
  async stop(): Promise<Exit> {
    this.#child.kill('SIGTERM');
    return await this.#exit;
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<Exit> {
    this.#child.kill('SIGKILL');
    return await this.#exit;
  }
}

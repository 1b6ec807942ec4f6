import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../harness/eventually.ts';
import { trustedJson } from '../../sandbox/json.ts';

const main = join(import.meta.dirname, '..', '..', '..', 'cli', 'main.ts');

interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** `context-syncer webhook` as a process, from its sources. */
export class WebhookProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #output = '';

  constructor(flags: readonly string[], nodeFlags: readonly string[] = []) {
    const fixed = ['--health-address=127.0.0.1:0', '--metrics-address=127.0.0.1:0', '--log-level=debug'];
    this.#child = spawn(process.execPath, [...nodeFlags, main, 'webhook', ...fixed, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    });
    const collect = (chunk: Buffer): void => {
      this.#output += chunk.toString('utf8');
    };
    this.#child.stdout?.on('data', collect);
    this.#child.stderr?.on('data', collect);
    this.#exited = once(this.#child, 'close').then(() => this.#child.exitCode);
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new Error('the webhook did not start');
    }
    return pid;
  }

  /** Its greatest resident memory so far, in bytes; fails when it has ended. */
  async peakMemory(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  get output(): string {
    return this.#output;
  }

  get messages(): readonly string[] {
    return this.#log.map(({ msg }) => msg);
  }

  async ready(): Promise<void> {
    await eventually('the webhook is ready', async () => {
      const { status, body } = await this.readyz();
      if (status !== 200) {
        throw new Error(body);
      }
    });
  }

  async readyz(): Promise<{ readonly status: number; readonly body: string }> {
    const answer = await fetch(`http://127.0.0.1:${await this.#port('healthPort')}/readyz?verbose`);
    return { status: answer.status, body: await answer.text() };
  }

  /** The samples of a metric, with their labels. */
  async metric(name: string): Promise<readonly string[]> {
    const answer = await fetch(`http://127.0.0.1:${await this.#port('metricsPort')}/metrics`);
    return (await answer.text()).split('\n').filter((line) => line.startsWith(name));
  }

  /** Waits until the log has a line with this message. */
  async says(message: string): Promise<void> {
    await eventually(`the webhook says "${message}"`, () => {
      if (!this.messages.includes(message)) {
        throw new Error(this.#output.slice(-2_000));
      }
    });
  }

  /** SIGTERM; yields the exit status. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return await this.#exited;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async #port(field: 'healthPort' | 'metricsPort'): Promise<number> {
    return await eventually(`the ${field} is known`, () => {
      const port = this.#log.find(({ msg }) => msg === 'health and metrics are served')?.[field];
      if (typeof port !== 'number') {
        throw new Error(this.#output.slice(-2_000));
      }
      return port;
    });
  }

  get #log(): readonly LogLine[] {
    // The last line may be half written.
    return this.#output
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => trustedJson<LogLine>(line));
  }
}

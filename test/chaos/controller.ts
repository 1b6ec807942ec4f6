import { setTimeout as sleep } from 'node:timers/promises';
import { Program } from '../harness/program.ts';

/** One of the two controllers: a process that is started again whenever it ends, as a Deployment does. */
export class Controller {
  readonly number: number;
  readonly #arguments: () => readonly string[];
  readonly #program: string | undefined;
  readonly #outputs: string[] = [];
  readonly #deaths: string[] = [];
  #running: Program | undefined;
  #expected = false;
  #stopped = false;
  #closed = false;

  /** @param program the file to run instead of the built program */
  constructor(number: number, args: () => readonly string[], program: string | undefined) {
    this.number = number;
    this.#arguments = args;
    this.#program = program;
  }

  /** Starts it, unless it runs. */
  start(): void {
    if (this.#closed || this.#running !== undefined) {
      return;
    }
    const command = this.#program === undefined ? undefined : ([process.execPath, this.#program] as const);
    const program =
      command === undefined
        ? new Program(this.#arguments())
        : new Program(this.#arguments(), {}, [command[0], command[1]]);
    this.#running = program;
    this.#expected = false;
    this.#stopped = false;
    void this.#watch(program);
  }

  get program(): Program | undefined {
    return this.#running;
  }

  /** Whether it runs and is not suspended. */
  get isAwake(): boolean {
    return this.#running !== undefined && !this.#stopped;
  }

  /** Everything that its processes wrote. */
  get output(): string {
    return [...this.#outputs, this.#running?.output ?? ''].join('\n');
  }

  /** Ends of the process that nobody asked for. */
  get deaths(): readonly string[] {
    return this.#deaths;
  }

  /** SIGKILL at once; it starts again after `ms`. */
  async kill(ms: number): Promise<void> {
    await this.#end(ms, (program) => program.kill());
  }

  /** SIGTERM; it starts again `ms` after its end. */
  async stop(ms: number): Promise<void> {
    await this.#end(ms, (program) => program.stop());
  }

  /** Sends the signal within this call; a trap needs it to be in time. */
  signal(signal: 'SIGKILL' | 'SIGSTOP'): void {
    if (this.#running !== undefined) {
      this.#expected = this.#expected || signal === 'SIGKILL';
      this.#stopped = this.#stopped || signal === 'SIGSTOP';
      process.kill(this.#running.pid, signal);
    }
  }

  /** Starts it again after a SIGKILL by `signal` and `ms`. */
  async restart(ms: number): Promise<void> {
    await this.#running?.exited;
    await sleep(ms);
    this.start();
  }

  /** SIGCONT. */
  wake(): void {
    this.#stopped = false;
    if (this.#running?.running === true) {
      process.kill(this.#running.pid, 'SIGCONT');
    }
  }

  /** SIGTERM for good; SIGKILL where that does not end it. */
  async close(): Promise<void> {
    this.#closed = true;
    const program = this.#running;
    if (program !== undefined) {
      this.#expected = true;
      this.wake();
      const ended = await Promise.race([program.stop(), sleep(25_000, undefined, { ref: false })]);
      if (ended === undefined) {
        this.#deaths.push(`controller ${this.number} did not end within 25 s of SIGTERM`);
        await program.kill();
      } else if (ended.code !== 0) {
        this.#deaths.push(`controller ${this.number} ended on SIGTERM with ${ended.code ?? ended.signal}`);
      }
    }
  }

  async #end(ms: number, end: (program: Program) => Promise<unknown>): Promise<void> {
    const program = this.#running;
    if (program === undefined) {
      return;
    }
    this.#expected = true;
    this.wake();
    await end(program);
    await sleep(ms);
    this.start();
  }

  async #watch(program: Program): Promise<void> {
    const { code, signal } = await program.exited;
    this.#outputs.push(program.output);
    this.#running = undefined;
    if (!this.#expected && !this.#closed) {
      if (!isRefusedStart(code, program.output)) {
        this.#deaths.push(
          `controller ${this.number} ended with ${code ?? signal}: ${program.output.slice(-500)}`,
        );
      }
      await sleep(500);
      this.start();
    }
  }
}

/** A program that starts on a broken kubeconfig says so and ends, and is started again until the file is whole. */
function isRefusedStart(code: number | null, output: string): boolean {
  return code === 2 && output.includes('cannot start') && output.includes('--contexts-kubeconfig: ');
}

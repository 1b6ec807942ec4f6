import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programFile } from '../harness/build.ts';
import { Program } from '../harness/program.ts';

/** Loaded before the program: its clock can be moved. */
const movedClock = join(import.meta.dirname, 'moved-clock.ts');

export interface ControllerOptions {
  /** `isOld`: for 0.1. */
  readonly args: (isOld: boolean) => readonly string[];
  /** The file to run; the built program when absent. */
  readonly program: string | undefined;
  /** The file of 0.1, where it begins with that. */
  readonly oldProgram: string | undefined;
  /** Says by how many hours its clock is off. */
  readonly clockFile: string;
}

/** One of the two controllers: a process that is started again whenever it ends, as a Deployment does. */
export class Controller {
  readonly number: number;
  readonly #options: ControllerOptions;
  readonly #outputs: string[] = [];
  readonly #deaths: string[] = [];
  #presentSince: number;
  #running: Program | undefined;
  #expected = false;
  #stopped = false;
  #closed = false;

  constructor(number: number, options: ControllerOptions) {
    this.number = number;
    this.#presentSince = options.oldProgram === undefined ? 0 : Number.POSITIVE_INFINITY;
    this.#options = options;
  }

  /** Starts it, unless it runs. */
  start(): void {
    if (this.#closed || this.#running !== undefined) {
      return;
    }
    const { args, program: file = programFile, oldProgram, clockFile } = this.#options;
    const isOld = this.presentSince === Number.POSITIVE_INFINITY;
    const program = new Program(args(isOld), { CHAOS_CLOCK: clockFile }, [
      process.execPath,
      // For the heap that is in use, at quiet points.
      '--inspect=127.0.0.1:0',
      `--import=${movedClock}`,
      isOld && oldProgram !== undefined ? oldProgram : file,
    ]);
    this.#running = program;
    this.#expected = false;
    this.#stopped = false;
    void this.#watch(program);
  }

  get program(): Program | undefined {
    return this.#running;
  }

  /** When the last process of 0.1 had ended, by our clock; infinite while there is one. What those did is not judged. */
  get presentSince(): number {
    return this.#presentSince;
  }

  /** Ends 0.1 and starts the present program. */
  async upgrade(): Promise<void> {
    const old = this.#running;
    if (old !== undefined) {
      this.#expected = true;
      this.wake();
      await old.stop();
    }
    this.#presentSince = Date.now();
    this.start();
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

  /** Its clock is off by that many hours from now on, also after it was started anew. */
  async moveClock(hours: number): Promise<void> {
    await writeFile(this.#options.clockFile, String(hours));
    const program = this.#running;
    // Before that, it has yet to read the file.
    if (program?.running === true && program.output.includes('"msg":"starting"')) {
      process.kill(program.pid, 'SIGUSR2');
    }
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

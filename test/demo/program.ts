import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programFile } from '../harness/build.ts';
import type { Keeper, KeptProcess } from '../sandbox/control-plane/keeper.ts';

/** Milliseconds until it must be ready; it takes less than a second on an idle machine. */
const readyTimeoutMs = 60_000;
/** Each program promises a clean stop within 20 s. */
const stopTimeoutMs = 20_000;
const logLinesShown = 20;

export interface ProgramOptions {
  readonly name: 'controller' | 'webhook';
  /** It runs the program, so that it cannot outlive the demo. */
  readonly keeper: Keeper;
  readonly folder: string;
  readonly logFolder: string;
  readonly args: readonly string[];
  /** `127.0.0.1:PORT`, where the arguments have health and metrics served. */
  readonly endpoint: string;
}

/** One of the two processes of context-syncer, started as a person would. */
export class DemoProgram {
  readonly name: string;
  /** Where health and metrics are served. */
  readonly url: string;
  readonly commandLine: readonly string[];
  readonly logFile: string;
  readonly #process: KeptProcess;
  #ended: string | undefined;

  private constructor({ name, endpoint, args }: ProgramOptions, process: KeptProcess) {
    this.name = name;
    this.url = `http://${endpoint}`;
    this.commandLine = ['context-syncer', ...args];
    this.logFile = process.logFile;
    this.#process = process;
    void this.#noteEnd();
  }

  static async start(options: ProgramOptions): Promise<DemoProgram> {
    const { name, keeper, folder, logFolder, args } = options;
    const kept = await keeper.run({
      name,
      command: process.execPath,
      args: [programFile, ...args],
      folder,
      logFile: join(logFolder, `${name}.log`),
    });
    return new DemoProgram(options, kept);
  }

  /** Waits until it says so. */
  async ready(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + readyTimeoutMs;
    while (!(await this.#isReady())) {
      signal.throwIfAborted();
      if (this.#ended !== undefined) {
        throw new Error(`the ${this.name} ended (${this.#ended})`);
      }
      if (performance.now() > deadline) {
        throw new Error(`the ${this.name} is not ready after ${readyTimeoutMs} ms`);
      }
      await sleep(20);
    }
  }

  /** The end of its log. */
  async lastLines(): Promise<string> {
    return (await readFile(this.logFile, 'utf8')).trimEnd().split('\n').slice(-logLinesShown).join('\n');
  }

  /** SIGTERM, as Kubernetes would. Resolves when it has ended, or has had its time: then its keeper kills it. */
  async stop(): Promise<void> {
    if (this.#ended !== undefined) {
      return;
    }
    await this.#process.signal('SIGTERM');
    const giveUp = new AbortController();
    await Promise.race([
      this.#process.exited,
      sleep(stopTimeoutMs, undefined, { signal: giveUp.signal }).catch(() => undefined),
    ]);
    giveUp.abort();
  }

  async #noteEnd(): Promise<void> {
    this.#ended = await this.#process.exited;
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

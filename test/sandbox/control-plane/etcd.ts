import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { etcdArguments, files } from './command-lines.ts';
import type { Keeper, KeptProcess } from './keeper.ts';

export interface EtcdOptions {
  /** Of the control plane. */
  readonly name: string;
  readonly binary: string;
  readonly folder: string;
  readonly logFile: string;
  readonly keeper: Keeper;
}

/** The etcd of one control plane. Its data can be emptied, copied and put back. */
export class Etcd {
  readonly #options: EtcdOptions;
  #process: KeptProcess;

  private constructor(options: EtcdOptions, process: KeptProcess) {
    this.#options = options;
    this.#process = process;
  }

  static async start(options: EtcdOptions): Promise<Etcd> {
    return new Etcd(options, await run(options));
  }

  get pid(): number {
    return this.#process.pid;
  }

  get logFile(): string {
    return this.#options.logFile;
  }

  /** Resolves when the process that runs now has ended. */
  get exited(): Promise<string> {
    return this.#process.exited;
  }

  async expectToStay(): Promise<void> {
    await this.#process.expectToStay();
  }

  /**
   * Copies the data to `folder`. The process stands still meanwhile, so that the copy is what a crash would leave,
   * which etcd starts from.
   */
  async copyData(folder: string): Promise<void> {
    await this.#process.signal('SIGSTOP');
    try {
      await cp(this.#data, folder, { recursive: true });
    } finally {
      await this.#process.signal('SIGCONT');
    }
  }

  /** SIGKILL, then a start with the data of `folder`; without data when absent. */
  async restartWith(folder: string | undefined): Promise<void> {
    await this.#process.signal('SIGKILL');
    await this.#process.exited;
    await rm(this.#data, { recursive: true });
    if (folder !== undefined) {
      await cp(folder, this.#data, { recursive: true });
    }
    this.#process = await run(this.#options);
  }

  get #data(): string {
    return join(this.#options.folder, files.etcdData);
  }
}

function run({ name, binary, folder, logFile, keeper }: EtcdOptions): Promise<KeptProcess> {
  return keeper.run({ name: `${name}/etcd`, command: binary, args: etcdArguments(), folder, logFile });
}

import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'undici';
import { trustedJson } from '../json.ts';
import { etcdArguments, etcdSocket, files } from './command-lines.ts';
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

  /** Compacts the history up to the present revision. */
  async compact(): Promise<void> {
    // The address in the URL is not used: the socket is.
    const client = new Client('http://localhost', { socketPath: join(this.#options.folder, etcdSocket) });
    const post = async (path: string, body: unknown): Promise<string> => {
      const answer = await client.request({ method: 'POST', path, body: JSON.stringify(body) });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) {
        throw new Error(`etcd of ${this.#options.name}: ${path}: ${answer.statusCode} ${text}`);
      }
      return text;
    };
    try {
      const found = await post('/v3/kv/range', { key: Buffer.from('/').toString('base64') });
      const { header } = trustedJson<{ header: { revision: string } }>(found);
      await post('/v3/kv/compaction', { revision: header.revision });
    } finally {
      await client.close();
    }
  }

  get #data(): string {
    return join(this.#options.folder, files.etcdData);
  }
}

function run({ name, binary, folder, logFile, keeper }: EtcdOptions): Promise<KeptProcess> {
  return keeper.run({ name: `${name}/etcd`, command: binary, args: etcdArguments(), folder, logFile });
}

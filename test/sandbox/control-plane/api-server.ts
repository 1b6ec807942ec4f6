import { readFile } from 'node:fs/promises';
import { apiServerArguments } from './command-lines.ts';
import type { Etcd } from './etcd.ts';
import type { Keeper, KeptProcess } from './keeper.ts';
import { waitUntilReady } from './readiness.ts';
import { Requester } from './requester.ts';

export interface ApiServerOptions {
  /** Of the control plane. */
  readonly name: string;
  /** Of the process, in the control plane. */
  readonly instance: string;
  readonly binary: string;
  readonly folder: string;
  readonly logFile: string;
  readonly caPem: string;
  readonly adminToken: string;
  readonly keeper: Keeper;
  readonly etcd: Etcd;
  readonly pickPort: () => Promise<number>;
  readonly audit: boolean;
  readonly tokenReviews: boolean;
  readonly flags: readonly string[] | undefined;
}

/** Somebody else can take a port between our look and the server's start: then the next one is tried. */
const portAttempts = 5;

/** One kube-apiserver, on the same port for life, that can be killed and started again. */
export class ApiServer {
  readonly port: number;
  readonly #options: ApiServerOptions;
  #process: KeptProcess;
  #requester: Requester;
  #running = true;
  #replicas = 0;

  private constructor(
    options: ApiServerOptions,
    started: { port: number; process: KeptProcess; requester: Requester },
  ) {
    this.#options = options;
    this.port = started.port;
    this.#process = started.process;
    this.#requester = started.requester;
  }

  /** Starts it on a free port and waits until it is ready. */
  static async start(options: ApiServerOptions): Promise<ApiServer> {
    for (let attempt = 1; ; attempt++) {
      const port = await options.pickPort();
      const process = await run(options, port);
      const requester = connect(options, port);
      try {
        await untilReady(options, process, requester);
        return new ApiServer(options, { port, process, requester });
      } catch (error) {
        await requester.close();
        if (attempt === portAttempts || !(await portWasTaken(options.logFile, port))) {
          throw error;
        }
      }
    }
  }

  /** Another one beside it, on the same etcd and a port of its own. */
  async startReplica(): Promise<ApiServer> {
    this.#replicas += 1;
    const instance = `${this.#options.instance}-${this.#replicas}`;
    return await ApiServer.start({
      ...this.#options,
      instance,
      logFile: `${this.#options.logFile}.${this.#replicas}`,
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get requester(): Requester {
    return this.#requester;
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    await this.#process.signal(signal);
  }

  async kill(): Promise<void> {
    this.#running = false;
    await this.#process.signal('SIGKILL');
    await this.#process.exited;
  }

  async restart(): Promise<void> {
    if (this.#running) {
      await this.kill();
    }
    // Connections to the old process would only fail the first requests.
    await this.#requester.close();
    this.#requester = connect(this.#options, this.port);
    this.#process = await run(this.#options, this.port);
    this.#running = true;
    await untilReady(this.#options, this.#process, this.#requester);
  }

  async close(): Promise<void> {
    await this.#requester.close();
  }
}

function run(options: ApiServerOptions, port: number): Promise<KeptProcess> {
  return options.keeper.run({
    name: `${options.name}/${options.instance}`,
    command: options.binary,
    args: apiServerArguments(port, options),
    folder: options.folder,
    logFile: options.logFile,
  });
}

function connect(options: ApiServerOptions, port: number): Requester {
  return new Requester(`https://127.0.0.1:${port}`, options.caPem, options.adminToken);
}

async function untilReady(
  { name, etcd }: ApiServerOptions,
  process: KeptProcess,
  requester: Requester,
): Promise<void> {
  const ended = Promise.race([
    etcd.exited.then((how) => `etcd of ${name} ended (${how}); its log: ${etcd.logFile}`),
    process.exited.then((how) => `kube-apiserver of ${name} ended (${how}); its log: ${process.logFile}`),
  ]);
  await waitUntilReady(requester, ended);
  await Promise.all([etcd.expectToStay(), process.expectToStay()]);
}

async function portWasTaken(logFile: string, port: number): Promise<boolean> {
  const log = await readFile(logFile, 'utf8');
  return log.includes(`127.0.0.1:${port}: bind: address already in use`);
}

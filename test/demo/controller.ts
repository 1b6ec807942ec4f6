import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programFile } from '../harness/build.ts';
import { Keeper, type KeptProcess } from '../sandbox/control-plane/keeper.ts';
import { freePort } from '../sandbox/network/free-port.ts';

/** Milliseconds until it must be ready; it takes less than a second on an idle machine. */
const readyTimeoutMs = 60_000;
/** The controller promises a clean stop within 20 s. */
const stopTimeoutMs = 20_000;
const logLinesShown = 20;

export interface ControllerFiles {
  /** Of the demo alone; removed in the end. */
  readonly folder: string;
  readonly sourceKubeconfig: string;
  readonly contextsKubeconfig: string;
}

/** `context-syncer controller`, started as a person would, under a keeper, so that it cannot outlive the demo. */
export class DemoController {
  /** Where health and metrics are served. */
  readonly url: string;
  readonly commandLine: readonly string[];
  readonly logFile: string;
  readonly #keeper: Keeper;
  readonly #process: KeptProcess;
  #ended: string | undefined;

  private constructor(keeper: Keeper, process: KeptProcess, url: string, commandLine: readonly string[]) {
    this.#keeper = keeper;
    this.#process = process;
    this.url = url;
    this.commandLine = commandLine;
    this.logFile = process.logFile;
    void this.#noteEnd();
  }

  static async start({
    folder,
    sourceKubeconfig,
    contextsKubeconfig,
  }: ControllerFiles): Promise<DemoController> {
    const address = `127.0.0.1:${await freePort()}`;
    const args = [
      'controller',
      '--cluster-name=demo-source',
      `--kubeconfig=${sourceKubeconfig}`,
      `--contexts-kubeconfig=${contextsKubeconfig}`,
      '--leader-elect=false',
      `--health-address=${address}`,
      `--metrics-address=${address}`,
      '--log-format=text',
    ];
    await mkdir(join(folder, 'logs'), { recursive: true });
    const keeper = await Keeper.start(folder);
    const kept = await keeper.run({
      name: 'controller',
      command: process.execPath,
      args: [programFile, ...args],
      folder,
      logFile: join(folder, 'logs', 'controller.log'),
    });
    return new DemoController(keeper, kept, `http://${address}`, ['context-syncer', ...args]);
  }

  /** Waits until it says so. */
  async ready(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + readyTimeoutMs;
    while (!(await this.#isReady())) {
      signal.throwIfAborted();
      if (this.#ended !== undefined) {
        throw new Error(`the controller ended (${this.#ended}):\n${await this.lastLines()}`);
      }
      if (performance.now() > deadline) {
        throw new Error(`the controller is not ready after ${readyTimeoutMs} ms:\n${await this.lastLines()}`);
      }
      await sleep(20);
    }
  }

  /** The end of its log. */
  async lastLines(): Promise<string> {
    return (await readFile(this.logFile, 'utf8')).trimEnd().split('\n').slice(-logLinesShown).join('\n');
  }

  /** From now on its log outlives the demo. */
  async keepLog(): Promise<void> {
    await this.#keeper.keepLogs();
  }

  /** SIGTERM, as Kubernetes would; what has not ended in time is killed. Removes the folder. */
  async stop(): Promise<void> {
    if (this.#ended === undefined) {
      await this.#process.signal('SIGTERM');
      const giveUp = new AbortController();
      await Promise.race([
        this.#process.exited,
        sleep(stopTimeoutMs, undefined, { signal: giveUp.signal }).catch(() => undefined),
      ]);
      giveUp.abort();
    }
    await this.#keeper.end();
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

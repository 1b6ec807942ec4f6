import type { Keeper, KeptProcess } from './keeper.ts';

export interface ControllerManagerOptions {
  /** Of the control plane. */
  readonly name: string;
  readonly binary: string;
  readonly folder: string;
  readonly logFile: string;
  readonly kubeconfigFile: string;
  readonly keeper: Keeper;
}

/** One kube-controller-manager that empties namespaces which are deleted, and deletes objects whose owner is gone. */
export class ControllerManager {
  readonly #options: ControllerManagerOptions;
  #process: KeptProcess;

  private constructor(options: ControllerManagerOptions, process: KeptProcess) {
    this.#options = options;
    this.#process = process;
  }

  static async start(options: ControllerManagerOptions): Promise<ControllerManager> {
    return new ControllerManager(options, await run(options));
  }

  /** Starts it anew: what it remembers of a cluster is wrong once the data was replaced. */
  async restart(): Promise<void> {
    await this.#process.signal('SIGKILL');
    await this.#process.exited;
    this.#process = await run(this.#options);
  }
}

function run(options: ControllerManagerOptions): Promise<KeptProcess> {
  return options.keeper.run({
    name: `${options.name}/kube-controller-manager`,
    command: options.binary,
    args: [
      `--kubeconfig=${options.kubeconfigFile}`,
      '--controllers=namespace-controller,garbage-collector-controller',
      '--leader-elect=false',
      // Serves nothing.
      '--secure-port=0',
    ],
    folder: options.folder,
    logFile: options.logFile,
  });
}

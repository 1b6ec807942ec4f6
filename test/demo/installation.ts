import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalBase } from '../harness/local-base.ts';
import { Keeper } from '../sandbox/control-plane/keeper.ts';
import { freePort } from '../sandbox/network/free-port.ts';
import { alias, type Clusters, targets } from './clusters.ts';
import type { CommandRunner } from './command-runner.ts';
import { DemoProgram } from './program.ts';
import { syncContexts } from './scenes/sights.ts';
import { shellWords } from './shell-words.ts';
import type { Terminal } from './terminal.ts';

/** Milliseconds until the API server asks the webhook, which knows the contexts; usually it does at once. */
const admissionTimeoutMs = 60_000;

export interface InstallationOptions {
  readonly terminal: Terminal;
  readonly runner: CommandRunner;
  readonly clusters: Clusters;
  /** Aborts when the person has seen enough. */
  readonly signal: AbortSignal;
}

/** context-syncer, installed on the source cluster by its manifests; its two processes run here. */
export class Installation {
  readonly #options: InstallationOptions;
  readonly #keeper: Keeper;
  readonly #programs: DemoProgram[] = [];

  private constructor(options: InstallationOptions, keeper: Keeper) {
    this.#options = options;
    this.#keeper = keeper;
  }

  /** With nothing in it yet; must be stopped all the same. From now on the demo's folder is removed however it ends. */
  static async create(options: InstallationOptions): Promise<Installation> {
    return new Installation(options, await Keeper.start(options.clusters.folder));
  }

  /** Those that were started. */
  get programs(): readonly DemoProgram[] {
    return this.#programs;
  }

  /** Applies the manifests, starts both processes, and waits until they are at work. */
  async start(): Promise<void> {
    const { terminal, runner, clusters, signal } = this.#options;
    const { folder } = clusters;
    const logFolder = join(folder, 'logs');
    await mkdir(logFolder);
    const base = await LocalBase.prepare({
      sandbox: clusters.sandbox,
      folder,
      webhookPort: await freePort(),
    });
    terminal.text(
      '\nmanifests/base as it is, but that the API server finds the webhook at a local address instead of by its Service.',
    );
    await runner.kubectl(['apply', '-k', base.overlay]);
    await runner.kubectl([
      'create',
      'secret',
      'generic',
      'context-syncer-contexts',
      '-n',
      'context-syncer',
      `--from-file=kubeconfig=${clusters.contextsKubeconfig}`,
    ]);
    terminal.text(
      '\nNo Pods run here: we start the two processes ourselves, with the arguments of their Deployments and the tokens of\ntheir ServiceAccounts, hence with no rights but those of the manifests.',
    );
    const commands = [
      { name: 'controller', argumentsAt: (endpoint: string) => base.controllerArguments(endpoint) },
      { name: 'webhook', argumentsAt: (endpoint: string) => base.webhookArguments(endpoint) },
    ] as const;
    for (const { name, argumentsAt } of commands) {
      const endpoint = `127.0.0.1:${await freePort()}`;
      const args = [...(await argumentsAt(endpoint)), '--log-format=text'];
      const program = await DemoProgram.start({
        name,
        keeper: this.#keeper,
        folder,
        logFolder,
        args,
        endpoint,
      });
      this.#programs.push(program);
      terminal.command(`${shellWords(program.commandLine)} &`);
    }
    for (const program of this.#programs) {
      await terminal.step(`the ${program.name} is ready`, () => program.ready(signal));
    }
    await terminal.step('the API server asks the webhook, and the webhook knows the contexts', () =>
      this.#reviewing(),
    );
  }

  /** From now on the logs outlive the demo. */
  async keepLogs(): Promise<void> {
    await this.#keeper.keepLogs();
  }

  /** Stops both in good order, and removes the demo's folder. */
  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()));
    await this.#keeper.end();
  }

  /** By then a good list is accepted, and it is known which contexts are one cluster. Nothing is written by asking. */
  async #reviewing(): Promise<void> {
    const good = targets.map(({ context }) => context).join(',');
    const bad = `${targets[0].context},${alias}`;
    const deadline = performance.now() + admissionTimeoutMs;
    for (;;) {
      const answers = [await this.#ask(good), await this.#ask(bad)];
      if (answers[0] === 201 && answers[1] === 422) {
        return;
      }
      this.#options.signal.throwIfAborted();
      if (performance.now() > deadline) {
        throw new Error(`the webhook is not in use after ${admissionTimeoutMs} ms (${answers.join(', ')})`);
      }
      await sleep(20);
    }
  }

  /** The status that an object with this list would be answered with. */
  async #ask(list: string): Promise<number> {
    const { status } = await this.#options.clusters.sandbox.source.request(
      'POST',
      '/api/v1/namespaces/default/configmaps?dryRun=All',
      { metadata: { name: 'question', annotations: { [syncContexts]: list } } },
      { allowFailure: true },
    );
    return status;
  }
}

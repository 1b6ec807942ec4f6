import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../sandbox/network/free-port.ts';
import type { ContextSpec } from '../sandbox/sandbox.ts';
import { LocalBase, setContextsSecret } from './local-base.ts';
import { Program } from './program.ts';
import type { Stage } from './stage.ts';

/** Controller and webhook as manifests/base deploys them. They outlive the tests of a file; `end` ends them. */
export class Pair {
  readonly #stage: Stage;
  readonly #base: LocalBase;
  readonly #namespace: string | undefined;
  #controller: Program | undefined;
  #webhook: Program | undefined;

  private constructor(stage: Stage, base: LocalBase, namespace: string | undefined) {
    this.#stage = stage;
    this.#base = base;
    this.#namespace = namespace;
  }

  /**
   * Applies the base with these contexts, to its namespace or another, and starts both; resolves when both say that they
   * are ready.
   */
  static async start(stage: Stage, contexts: readonly ContextSpec[], namespace?: string): Promise<Pair> {
    const { sandbox, source } = stage;
    const folder = join(sandbox.folder, 'pair');
    await mkdir(folder);
    const webhookPort = await freePort();
    const base = await LocalBase.prepare({
      sandbox,
      folder,
      webhookPort,
      ...(namespace === undefined ? {} : { namespace }),
    });
    await source.kubectl(['apply', '-k', base.overlay]);
    const pair = new Pair(stage, base, namespace);
    await pair.setContexts(contexts);
    await Promise.all([pair.startController(), pair.startWebhook()]);
    return pair;
  }

  get controller(): Program {
    return running(this.#controller);
  }

  get webhook(): Program {
    return running(this.#webhook);
  }

  /** Writes the contexts anew; the controller takes them over by itself. */
  async setContexts(contexts: readonly ContextSpec[]): Promise<void> {
    const { source, sandbox } = this.#stage;
    await setContextsSecret(source, sandbox.contextsKubeconfig(contexts), this.#namespace);
  }

  /** @param more YAML with settings besides those of the base */
  async startController(more?: string): Promise<void> {
    this.#controller = new Program(await this.#base.controllerArguments(undefined, more));
    await this.#controller.ready();
  }

  /** On the same port as before. */
  async startWebhook(): Promise<void> {
    this.#webhook = new Program(await this.#base.webhookArguments());
    await this.#webhook.ready();
  }

  /** Kills both. */
  async end(): Promise<void> {
    await Promise.all([this.#controller, this.#webhook].map(async (program) => await program?.kill()));
  }
}

function running(program: Program | undefined): Program {
  if (program === undefined) {
    throw new Error('the program was not started');
  }
  return program;
}

import type { KubectlResult } from '../sandbox/control-plane/kubectl.ts';
import type { Clusters } from './clusters.ts';
import { shellWords } from './shell-words.ts';
import type { Terminal } from './terminal.ts';

export interface CommandRunnerOptions {
  readonly terminal: Terminal;
  readonly clusters: Clusters;
  /** Aborts when the person has seen enough. */
  readonly signal: AbortSignal;
}

/** Runs kubectl before the person's eyes. */
export class CommandRunner {
  readonly #options: CommandRunnerOptions;

  constructor(options: CommandRunnerOptions) {
    this.#options = options;
  }

  /** Prints the command as a person would type it, runs it, and prints what it printed. */
  async kubectl(args: readonly string[]): Promise<void> {
    const { exitCode } = await this.#run(args);
    if (exitCode !== 0) {
      throw new Error(`kubectl ${args.join(' ')} ended with status ${exitCode}`);
    }
  }

  /** The same for a command whose failure is what is to be shown; `because` is part of what it says. */
  async refused(because: string, args: readonly string[], stdin?: string): Promise<void> {
    const { exitCode, stderr } = await this.#run(args, stdin);
    if (exitCode === 0 || !stderr.includes(because)) {
      throw new Error(`kubectl ${args.join(' ')} was to be refused (${because}), but was not`);
    }
  }

  async #run(args: readonly string[], stdin?: string): Promise<KubectlResult> {
    const { terminal, clusters, signal } = this.#options;
    signal.throwIfAborted();
    const here = stdin === undefined ? '' : ` <<'EOF'\n${stdin.trimEnd()}\nEOF`;
    terminal.command(`kubectl ${shellWords(args)}${here}`);
    const result = await clusters.sandbox.source.kubectl(args, {
      kubeconfig: clusters.kubeconfig.file,
      allowFailure: true,
      ...(stdin === undefined ? {} : { stdin }),
    });
    // A Ctrl-C in the terminal goes to kubectl, too.
    signal.throwIfAborted();
    terminal.output(result.stdout);
    terminal.output(result.stderr);
    return result;
  }
}

import type { PayloadObject } from '../../shared/kube/object.ts';
import type { KubectlResult } from '../sandbox/control-plane/kubectl.ts';
import { type Clusters, name, namespace, sourceContext, targets } from './clusters.ts';
import type { DemoController } from './controller.ts';
import { ObjectWatch } from './object-watch.ts';
import { shellWords } from './shell-words.ts';
import type { Terminal } from './terminal.ts';

/** Milliseconds after which an effect that was not seen is a failure; it usually takes a few. */
const effectTimeoutMs = 30_000;

/** How an object must be for something to count as done; undefined: it is not there. */
export type Fits = (object: PayloadObject | undefined) => boolean;

/** What should follow from a cause, and on which cluster. */
export interface Effect {
  readonly at: ObjectWatch;
  readonly fits: Fits;
  /** As in `the copy NAMESPACE/NAME WHAT after 12 ms`. */
  readonly what: string;
}

/** What the scenes play on: running clusters, a running controller, and eyes on the object everywhere. */
export class Demo {
  readonly terminal: Terminal;
  readonly controller: DemoController;
  readonly source: ObjectWatch;
  /** By target, in the order of the contexts. */
  readonly copies: readonly [ObjectWatch, ObjectWatch];
  readonly #clusters: Clusters;
  readonly #signal: AbortSignal;

  private constructor(
    { terminal, clusters, controller, signal }: DemoParts,
    source: ObjectWatch,
    copies: readonly [ObjectWatch, ObjectWatch],
  ) {
    this.terminal = terminal;
    this.controller = controller;
    this.#clusters = clusters;
    this.#signal = signal;
    this.source = source;
    this.copies = copies;
  }

  static async open(parts: DemoParts): Promise<Demo> {
    const kubeconfig = parts.clusters.kubeconfig.text;
    const watch = (context: string, where: string): Promise<ObjectWatch> =>
      ObjectWatch.open({ kubeconfig, context, namespace: where, name });
    const [first, second] = targets;
    return new Demo(parts, await watch(sourceContext, namespace), [
      await watch(first.context, first.namespace),
      await watch(second.context, second.namespace),
    ]);
  }

  /** Prints the command as a person would type it, runs it, and prints what it printed. */
  async kubectl(...args: readonly string[]): Promise<void> {
    const { exitCode } = await this.#run(args);
    if (exitCode !== 0) {
      throw new Error(`kubectl ${args.join(' ')} ended with status ${exitCode}`);
    }
  }

  /** The same for a command whose failure is what is to be shown; `because` is part of what it says. */
  async refusedKubectl(because: string, ...args: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await this.#run(args);
    if (exitCode === 0 || !stderr.includes(because)) {
      throw new Error(`kubectl ${args.join(' ')} was to be refused (${because}), but was not`);
    }
  }

  /**
   * Brings about a change, and waits for its effects. Times run from the moment in which a watch shows the change to
   * the one in which a watch shows the effect.
   */
  async effects(
    cause: { readonly at: ObjectWatch; readonly fits: Fits; readonly by: () => Promise<void> },
    effects: readonly Effect[],
  ): Promise<void> {
    const marks = new Map([cause.at, ...effects.map(({ at }) => at)].map((watch) => [watch, watch.mark]));
    const sight = async (at: ObjectWatch, fits: Fits, what: string): Promise<number> => {
      const late = AbortSignal.timeout(effectTimeoutMs);
      try {
        const signal = AbortSignal.any([this.#signal, late]);
        return (await at.sight(fits, marks.get(at) ?? 0, signal)).at;
      } catch (error) {
        throw late.aborted
          ? new Error(`${at.object} of ${at.context} ${what}: not seen within ${effectTimeoutMs} ms`)
          : error;
      }
    };
    await cause.by();
    const began = await sight(cause.at, cause.fits, 'changes');
    for (const { at, fits, what } of effects) {
      const after = Math.max(0, (await sight(at, fits, what)) - began);
      this.terminal.seen(`${at.context}: the copy ${at.object} ${what} after ${after.toFixed(1)} ms`);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.source, ...this.copies].map((watch) => watch.close()));
  }

  async #run(args: readonly string[]): Promise<KubectlResult> {
    const { sandbox, kubeconfig } = this.#clusters;
    this.#signal.throwIfAborted();
    this.terminal.command(`kubectl ${shellWords(args)}`);
    const result = await sandbox.source.kubectl(args, { kubeconfig: kubeconfig.file, allowFailure: true });
    // A Ctrl-C in the terminal goes to kubectl, too.
    this.#signal.throwIfAborted();
    this.terminal.output(result.stdout);
    this.terminal.output(result.stderr);
    return result;
  }
}

export interface DemoParts {
  readonly terminal: Terminal;
  readonly clusters: Clusters;
  readonly controller: DemoController;
  /** Aborts when the person has seen enough. */
  readonly signal: AbortSignal;
}

import type { PayloadObject } from '../../shared/kube/object.ts';
import { type Clusters, name, namespace, sourceContext, targets } from './clusters.ts';
import type { CommandRunner } from './command-runner.ts';
import { ObjectWatch } from './object-watch.ts';
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

/** What the scenes play on: running clusters with context-syncer at work, and eyes on the object everywhere. */
export class Demo {
  readonly terminal: Terminal;
  readonly source: ObjectWatch;
  /** By target, in the order of the contexts. */
  readonly copies: readonly [ObjectWatch, ObjectWatch];
  readonly #runner: CommandRunner;
  readonly #signal: AbortSignal;

  private constructor(
    { terminal, runner, signal }: DemoParts,
    source: ObjectWatch,
    copies: readonly [ObjectWatch, ObjectWatch],
  ) {
    this.terminal = terminal;
    this.#runner = runner;
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
    await this.#runner.kubectl(args);
  }

  /** The same for a command whose failure is what is to be shown; `because` is part of what it says. */
  async refusedKubectl(because: string, ...args: readonly string[]): Promise<void> {
    await this.#runner.refused(because, args);
  }

  /** `kubectl apply` of a manifest that is to be refused. */
  async refusedApply(because: string, manifest: string): Promise<void> {
    await this.#runner.refused(because, ['apply', '-f', '-'], manifest);
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
}

export interface DemoParts {
  readonly terminal: Terminal;
  readonly clusters: Clusters;
  readonly runner: CommandRunner;
  /** Aborts when the person has seen enough. */
  readonly signal: AbortSignal;
}

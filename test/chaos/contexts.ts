import type { ContextChange } from './operation.ts';
import { sharedNamespace } from './slots.ts';

/** A context of the kubeconfig as the oracle sees it. */
export interface ChaosContext {
  readonly name: string;
  /** The number of its cluster; 0 is the source. Undefined where nothing answers or the credentials are refused. */
  readonly cluster: number | undefined;
  readonly namespace?: string | undefined;
  /** - `proxy`: through the fault proxy. - `direct`: past it, under another spelling of the address.
   * - `nowhere`: nobody listens. - `no-credentials`: the token is unknown. */
  readonly way: 'proxy' | 'direct' | 'nowhere' | 'no-credentials';
  /** The source namespace that policies keep from it. */
  readonly deniedTo?: string;
}

/** Contexts that the kubeconfig gains and loses. */
export const switchedContexts = ['second', 'alias', 'team/moving:1', 'roaming', 'fixed'] as const;

/** What the kubeconfig says; changed by operations, written by the world. */
export class Contexts {
  readonly #targets: number;
  readonly #absent = new Set<string>();
  #moving = 1;
  #roaming: string | undefined = sharedNamespace;
  #generation = 0;
  #denied: string | null = null;

  constructor(targets: number) {
    this.#targets = targets;
  }

  apply(change: ContextChange): void {
    switch (change.change) {
      case 'toggle':
        if (!this.#absent.delete(change.name)) {
          this.#absent.add(change.name);
        }
        break;
      case 'repoint':
        this.#moving = (this.#moving % this.#targets) + 1;
        break;
      case 'move-namespace':
        this.#roaming = this.#roaming === undefined ? sharedNamespace : undefined;
        break;
      case 'rotate':
        this.#generation++;
        break;
      case 'half-written':
      case 'garbage':
        break;
    }
  }

  /** From now on policies keep the sources of this namespace from context `second`; null: none. */
  deny(namespace: string | null): void {
    this.#denied = namespace;
  }

  /** Which of the users' two tokens is in use. */
  get generation(): number {
    return this.#generation % 2;
  }

  get all(): readonly ChaosContext[] {
    const contexts: readonly ChaosContext[] = [
      { name: 'first', cluster: 1, way: 'proxy' },
      {
        name: 'second',
        cluster: 2,
        way: 'proxy',
        ...(this.#denied === null ? {} : { deniedTo: this.#denied }),
      },
      { name: 'fixed', cluster: 1, namespace: sharedNamespace, way: 'proxy' },
      { name: 'alias', cluster: 2, way: 'direct' },
      { name: 'team/moving:1', cluster: this.#moving, way: 'proxy' },
      { name: 'roaming', cluster: this.#targets, namespace: this.#roaming, way: 'proxy' },
      { name: 'hub', cluster: 0, way: 'direct' },
      { name: 'gone', cluster: undefined, way: 'nowhere' },
      { name: 'refused', cluster: undefined, way: 'no-credentials' },
    ];
    return contexts.filter(({ name }) => !this.#absent.has(name));
  }
}

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ReferenceMessage, ReferenceTask } from './task.ts';

const mainFile = fileURLToPath(new URL('./main.ts', import.meta.url));

/** The reference loop in a process of its own, as the product is. */
export class ReferenceProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(task: ReferenceTask) {
    this.#child = fork(mainFile);
    this.#child.send(task);
  }

  /** Waits for a message; throws when the process ends before it. */
  async said(wanted: ReferenceMessage): Promise<void> {
    const exit = new AbortController();
    const ended = once(this.#child, 'exit', { signal: exit.signal }).then(() => {
      throw new Error('the reference ended before its task was done');
    });
    const message = async (): Promise<void> => {
      for (;;) {
        const said: readonly unknown[] = await once(this.#child, 'message', { signal: exit.signal });
        if (said[0] === wanted) {
          return;
        }
      }
    };
    try {
      await Promise.race([message(), ended]);
    } finally {
      exit.abort();
      await ended.catch(() => undefined);
    }
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new Error('the reference did not start');
    }
    return pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
  }
}

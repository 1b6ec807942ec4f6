import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { trustedJson } from '../json.ts';
import type { KeeperMessage, KeeperRequest } from './keeper-protocol.ts';

/** A process that the keeper runs for us. */
export interface KeptProcess {
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when it has ended, to how: a signal's name or `exit status N`. */
  readonly exited: Promise<string>;
  signal(signal: NodeJS.Signals): Promise<void>;
  /** From now on, the logs are kept if it ends in any way but our SIGKILL. */
  expectToStay(): Promise<void>;
}

type Command = { readonly name: string; readonly command: string; readonly args: readonly string[] } & {
  readonly folder: string;
  readonly logFile: string;
};

/** Omit that keeps the members of a union apart. */
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

/**
 * Our end of the pipe to the process that owns etcd and kube-apiserver (keeper-process.ts).
 * `end` kills all of them and removes the folder; so does the end of this process.
 */
export class Keeper implements AsyncDisposable {
  readonly pid: number;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<void>;
  readonly #waiting = new Map<
    number,
    { resolve: (pid: number | undefined) => void; reject: (error: Error) => void }
  >();
  readonly #running = new Map<string, { pid: number; exited: (how: string) => void }>();
  #nextId = 1;
  #ending = false;

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>, pid: number) {
    this.#process = process;
    this.pid = pid;
    // A write into the pipe of a keeper that is gone: `close` tells whoever waits.
    process.stdin.on('error', () => {});
    createInterface({ input: process.stdout }).on('line', (line) => {
      this.#hear(trustedJson<KeeperMessage>(line));
    });
    this.#closed = new Promise((resolve) => {
      process.once('close', () => {
        this.#keeperGone();
        resolve();
      });
    });
  }

  /** Starts a keeper for `folder`, which it removes in the end. */
  static async start(folder: string): Promise<Keeper> {
    // Detached: a Ctrl-C in the terminal goes to the whole foreground process group, and the keeper must
    // outlive its parent to clean up after it.
    const child = spawn(process.execPath, [join(import.meta.dirname, 'keeper-process.ts'), folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    await once(child, 'spawn');
    if (child.pid === undefined) {
      throw new Error('the keeper of the sandbox did not start');
    }
    return new Keeper(child, child.pid);
  }

  async run(command: Command): Promise<KeptProcess> {
    let exited: (how: string) => void = () => {};
    const exit = new Promise<string>((resolve) => {
      exited = resolve;
    });
    // Registered before the keeper answers: an early exit may be told in the same chunk as the answer.
    this.#running.set(command.name, { pid: 0, exited });
    const pid = await this.#ask({ do: 'start', ...command });
    if (pid === undefined) {
      throw new Error(`the keeper did not say which process ${command.name} is`);
    }
    const entry = this.#running.get(command.name);
    if (entry !== undefined) {
      entry.pid = pid;
    }
    return {
      pid,
      logFile: command.logFile,
      exited: exit,
      signal: async (signal) => {
        await this.#ask({ do: 'signal', name: command.name, signal });
      },
      expectToStay: async () => {
        await this.#ask({ do: 'expectToStay', name: command.name });
      },
    };
  }

  /** From now on the logs outlive the sandbox. */
  async keepLogs(): Promise<void> {
    await this.#ask({ do: 'keepLogs' });
  }

  async end(): Promise<void> {
    if (!this.#ending) {
      this.#ending = true;
      await this.#ask({ do: 'end' });
      this.#process.stdin.end();
    }
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  #ask(request: WithoutId<KeeperRequest>): Promise<number | undefined> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        reject(new Error('the keeper of the sandbox is gone'));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
    });
  }

  #hear(message: KeeperMessage): void {
    if (message.kind === 'exited') {
      const running = this.#running.get(message.name);
      this.#running.delete(message.name);
      running?.exited(message.how);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === 'done') {
      waiting?.resolve(message.pid);
    } else {
      waiting?.reject(new Error(`the keeper of the sandbox: ${message.error}`));
    }
  }

  /** The keeper was killed itself: its processes have no owner any more, so end them from here. */
  #keeperGone(): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new Error('the keeper of the sandbox is gone'));
    }
    this.#waiting.clear();
    for (const { pid, exited } of this.#running.values()) {
      if (pid > 0) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It is gone already.
        }
      }
      exited('the keeper of the sandbox is gone');
    }
    this.#running.clear();
  }
}

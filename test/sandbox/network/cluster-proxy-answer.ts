import type { ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { OrderedSteps } from './relay.ts';
import { NameReplacer, type NamespaceNames } from './virtual-cluster.ts';

const passedOn = ['content-type', 'content-length', 'retry-after', 'warning'];
/** Chunks of at most 64 KiB that are held back for one answer. */
const maxHeldChunks = 1000;

/** What the answer needs to know of its request. */
export interface PassedRequest {
  readonly counter: { failures: number; bytes: number };
  readonly watch: boolean;
}

/** Passes an answer on as it arrives. */
export class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #steps: OrderedSteps;
  readonly #passed: PassedRequest;
  readonly #names: NameReplacer | undefined;
  #draining = false;

  constructor(
    response: ServerResponse,
    steps: OrderedSteps,
    passed: PassedRequest,
    names: NamespaceNames | undefined,
  ) {
    this.#response = response;
    this.#steps = steps;
    this.#passed = passed;
    this.#names = names === undefined ? undefined : new NameReplacer(names.real, names.shown);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const gone = (): void => {
      if (!this.#response.writableFinished) {
        controller.abort(new Error('the client has gone'));
      }
    };
    if (this.#response.destroyed) {
      gone();
    } else {
      this.#response.once('close', gone);
    }
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    this.#passed.counter.failures += status >= 400 ? 1 : 0;
    const kept = passedOn.flatMap((name) => {
      const value = headers[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    this.#steps.add(() => {
      this.#response.writeHead(status, Object.fromEntries(kept));
      if (this.#passed.watch) {
        this.#response.flushHeaders();
      }
    });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#passed.counter.bytes += chunk.length;
    const shown = this.#names?.push(chunk) ?? chunk;
    this.#steps.add(() => {
      if (this.#response.destroyed) {
        return;
      }
      if (!this.#response.write(shown)) {
        controller.pause();
        this.#resumeAfterDrain(controller);
      } else if (controller.paused) {
        controller.resume();
      }
    });
    if (this.#steps.waiting > maxHeldChunks) {
      controller.pause();
    }
  }

  onResponseEnd(): void {
    const rest = this.#names?.end();
    this.#steps.add(() => this.#response.end(rest));
  }

  onResponseError(): void {
    this.#steps.add(() => this.#response.destroy());
  }

  /** One listener, however many held-back chunks are written at once. */
  #resumeAfterDrain(controller: Dispatcher.DispatchController): void {
    if (!this.#draining) {
      this.#draining = true;
      this.#response.once('drain', () => {
        this.#draining = false;
        controller.resume();
      });
    }
  }
}

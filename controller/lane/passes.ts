import type { Clock, Random } from '../../shared/clock.ts';
import { isApiError, TransportError } from '../../shared/kube/errors.ts';
import { parseTargetKey, type TargetKey, type TargetRef } from '../copy/target-ref.ts';
import type { Pass } from '../reconcile/outcome.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { obstacleOf, retryDelayMs } from '../reconcile/retry.ts';
import { SourceReadError } from '../source/source-reader.ts';
import { HangingNamespaces } from './hanging-namespaces.ts';
import { Obstacles } from './obstacles.ts';
import type { PassUnderWay } from './pass-under-way.ts';
import { Pause } from './pause.ts';
import type { ScheduledLane, Scheduler } from './scheduler.ts';
import { type Priority, WorkQueue } from './work-queue.ts';

/** Milliseconds of pause after a 429 without Retry-After: one second, as client-go assumes. */
const defaultPauseMs = 1_000;

export interface PassesOptions {
  readonly reconciler: Pick<Reconciler, 'reconcile'>;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly random: Random;
  /** The cluster did not answer as it should, through this context or (undefined) any. */
  readonly onSuspicion: (context: string | undefined) => void;
  readonly onTaken: (waitedMs: number) => void;
  readonly onRetried: () => void;
  /** `repeats`: other objects failed for the same reason before. */
  readonly onPassed: (target: TargetRef, pass: Pass, durationMs: number, repeats: boolean) => void;
  /** No pass begins once it aborts. */
  readonly signal: AbortSignal;
}

/** The passes over the objects of one cluster: which is next, and when one is looked at again. */
export class Passes implements ScheduledLane {
  readonly queue: WorkQueue;
  readonly #options: PassesOptions;
  readonly #obstacles = new Obstacles();
  readonly #hanging = new HangingNamespaces();
  readonly #pause: Pause;
  /** Keys that wait for a context to say which cluster it is. */
  readonly #unidentified = new Set<TargetKey>();
  #idle: (() => void) | undefined;

  constructor(options: PassesOptions) {
    const { clock, scheduler } = options;
    this.#options = options;
    this.queue = new WorkQueue(clock, (priority) => {
      scheduler.wake(this, priority);
    });
    this.#pause = new Pause(clock, () => {
      scheduler.wake(this, 'live');
      scheduler.wake(this, 'later');
    });
    scheduler.add(this);
  }

  begin(priority: Priority, underWay: PassUnderWay): boolean {
    const { signal, onTaken } = this.#options;
    const next = signal.aborted || this.#pause.isOn ? undefined : this.queue.take(priority);
    if (next === undefined) {
      return false;
    }
    onTaken(next.waitedMs);
    // Reconciling never rejects, and what follows it must not: a failure here is a bug that ends the process.
    void this.#work(next.key, underWay);
    return true;
  }

  /** Looks at the copies that waited for a context to say which cluster it is. */
  contextsIdentified(): void {
    this.#addLater(this.#unidentified);
    this.#unidentified.clear();
  }

  /** Resolves when the passes under way have ended, once none begins any more. */
  async end(): Promise<void> {
    this.queue.clear();
    if (this.queue.active > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#options.scheduler.remove(this);
  }

  async #work(key: TargetKey, underWay: PassUnderWay): Promise<void> {
    const target = parseTargetKey(key);
    let wrote = false;
    if (this.#hanging.begin(target.namespace, key, underWay)) {
      const pass = await this.#options.reconciler.reconcile(target, (answer) =>
        underWay.waitForSource(answer),
      );
      this.#addLater(this.#hanging.end(target.namespace, underWay));
      this.#afterPass(key, target, pass, underWay);
      wrote = pass.outcome.kind === 'written';
    } else {
      await Promise.resolve();
      this.queue.done(key);
    }
    if (this.#options.signal.aborted) {
      this.queue.clear();
    }
    if (this.queue.active === 0) {
      this.#idle?.();
    }
    underWay.end({ wrote });
  }

  /** Decides when the key is looked at again. */
  #afterPass(key: TargetKey, target: TargetRef, pass: Pass, { begunAt }: PassUnderWay): void {
    const { clock, random, signal, onRetried, onPassed } = this.#options;
    if (signal.aborted) {
      this.queue.done(key);
      return;
    }
    const { outcome, winner } = pass;
    if (outcome.kind === 'failed') {
      this.#afterFailure(outcome.error, winner?.context);
    }
    if (outcome.kind === 'waiting' && outcome.reason === 'ContextUnidentified') {
      this.#unidentified.add(key);
    }
    const { role, freed } = this.#obstacles.passed(key, obstacleOf(outcome, target));
    const failures = this.queue.failures(key);
    const delayMs = retryDelayMs(outcome, failures, random, role);
    if (delayMs === undefined) {
      this.queue.succeeded(key);
    } else {
      this.queue.failed(key);
      onRetried();
    }
    this.queue.done(key);
    if (delayMs !== undefined) {
      this.queue.addAfter(key, delayMs);
    }
    this.#addLater(freed);
    onPassed(target, pass, clock.monotonic() - begunAt, role === 'waits' || failures > 0);
  }

  #afterFailure(error: unknown, context: string | undefined): void {
    const { scheduler, onSuspicion } = this.#options;
    if (error instanceof SourceReadError) {
      if (isApiError(error.cause, 'TooManyRequests')) {
        scheduler.pause(error.cause.retryAfterMs ?? defaultPauseMs);
      }
    } else if (isApiError(error, 'TooManyRequests')) {
      this.#pause.begin(error.retryAfterMs ?? defaultPauseMs);
    } else if (error instanceof TransportError || isApiError(error, 'Unauthorized', 'ServerError')) {
      onSuspicion(context);
    }
  }

  #addLater(keys: Iterable<TargetKey>): void {
    for (const key of keys) {
      this.queue.add(key, 'later');
    }
  }
}

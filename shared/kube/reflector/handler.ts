import type { KubeObject } from '../object.ts';

/** One change, as a watch reports it. */
export interface ObjectEvent<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
}

/**
 * Receives what a reflector sees. All methods are synchronous and quick; one that throws is a bug: it is logged, and
 * everything is listed again.
 */
export interface ReflectorHandler<T extends KubeObject, S> {
  /** A list begins. */
  listing?(): void;
  /** What is kept of a listed object; undefined drops it as soon as it is parsed (page by page). */
  project(object: T): S | undefined;
  /** A complete, finished list: whatever is not in `items` is not there. Never called with a partial list. */
  replaced(items: readonly S[], list: { readonly resourceVersion: string; readonly first: boolean }): void;
  /**
   * One watch event, in order. An object that was listed can come again as ADDED, and a change that was already seen
   * can come twice: compare versions or content.
   */
  event(event: ObjectEvent<T>): void;
  /** A list or watch attempt failed (it will be retried). */
  failed(error: unknown, phase: 'list' | 'watch'): void;
}

/** A handler threw: a bug of ours, distinct from what an API server does. */
export class HandlerFault extends Error {
  override readonly name = 'HandlerFault';
  constructor(method: string, cause: unknown) {
    super(`the reflector's handler threw in ${method}: this is a bug, report it with the log`, { cause });
  }
}

/** Runs a handler's method, and marks what it throws. */
export function guarded<R>(method: string, run: () => R): R {
  try {
    return run();
  } catch (error) {
    throw new HandlerFault(method, error);
  }
}

import { keysOf } from '../../../shared/keys.ts';
import type { Fits } from '../demo.ts';

/** The annotation, with the prefix that is in use unless another is configured. */
export const syncContexts = keysOf('kubed.appscode.com').syncContexts;

export const isThere: Fits = (object) => object !== undefined;

export const isGone: Fits = (object) => object === undefined;

/** It holds this value under this key. */
export function holds(key: string, value: string): Fits {
  return (object) => object?.data?.[key] === value;
}

/** Its list of contexts is this; undefined: it has none. */
export function lists(contexts: string | undefined): Fits {
  return (object) => object !== undefined && object.metadata.annotations?.[syncContexts] === contexts;
}

import type { Clock } from '../../clock.ts';

/**
 * What the promise yields. Rejects with `late()` after `ms` milliseconds, or when the signal aborts; the promise is then left
 * to itself.
 */
export async function within<T>(
  promise: Promise<T>,
  bounds: { readonly clock: Clock; readonly ms: number; readonly signal?: AbortSignal },
  late: () => Error,
): Promise<T> {
  const given = Promise.withResolvers<never>();
  const giveUp = (): void => {
    given.reject(late());
  };
  const cancel = bounds.clock.schedule(bounds.ms, giveUp);
  bounds.signal?.addEventListener('abort', giveUp);
  try {
    return await Promise.race([promise, given.promise]);
  } finally {
    cancel();
    bounds.signal?.removeEventListener('abort', giveUp);
  }
}

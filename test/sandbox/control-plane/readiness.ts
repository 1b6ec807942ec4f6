import { setTimeout as sleep } from 'node:timers/promises';
import type { Requester } from './requester.ts';

/** Between two looks; a control plane takes 1 to 6 seconds. */
const pauseMs = 50;
const readyTimeoutMs = 120_000;
/** One look: a server that does not answer is asked again on another connection. */
const requestTimeoutMs = 5000;

/**
 * Waits until the API server says that it is ready and the namespaces exist that it makes itself: it says ready
 * before that. Throws when `ended` comes first, with what it says.
 */
export async function waitUntilReady(requester: Requester, ended: Promise<string>): Promise<void> {
  const giveUp = new AbortController();
  const end = endOf(ended, giveUp);
  const deadline = performance.now() + readyTimeoutMs;
  let last = 'no answer yet';
  while (performance.now() < deadline) {
    last = await look(requester, giveUp.signal);
    if (last === 'ready') {
      return;
    }
    const how = await Promise.race([end, sleep(pauseMs, undefined)]);
    if (how !== undefined) {
      throw new Error(how);
    }
  }
  throw new Error(`not ready after ${readyTimeoutMs / 1000} s: ${last}`);
}

/** Ends a look under way, too: whoever has taken the port of a server that ended may never answer. */
async function endOf(ended: Promise<string>, giveUp: AbortController): Promise<string> {
  const how = await ended;
  giveUp.abort();
  return how;
}

async function look(requester: Requester, giveUp: AbortSignal): Promise<string> {
  const paths = ['/readyz', '/api/v1/namespaces/kube-system', '/api/v1/namespaces/default'];
  for (const path of paths) {
    try {
      const signal = AbortSignal.any([giveUp, AbortSignal.timeout(requestTimeoutMs)]);
      await requester.request('GET', path, undefined, { signal });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return 'ready';
}

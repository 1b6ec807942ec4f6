import type { KubeClient } from '../../../../../shared/kube/client.ts';
import { type ConnectOptions, connect } from '../../../../../shared/kube/connection/connection.ts';
import { type ConnectionSettings, connectionSpec } from '../../../../../shared/kube/kubeconfig/spec.ts';
import { silentLogger } from '../../../../../shared/logger.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';

/** A client under test, on a clock that stands still; closed at the end of its scope. */
export interface TestClient extends AsyncDisposable {
  readonly client: KubeClient;
  readonly clock: ManualClock;
}

export function connectTo(settings: ConnectionSettings, options: Partial<ConnectOptions> = {}): TestClient {
  const clock = new ManualClock();
  const client = connect(connectionSpec(settings), {
    clock,
    logger: silentLogger,
    userAgent: 'test/1',
    ...options,
  });
  return { client, clock, [Symbol.asyncDispose]: () => client.close() };
}

/** What a promise was rejected with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it was expected to fail');
}

/** Waits until it holds; the caller's test ends by its timeout where it never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

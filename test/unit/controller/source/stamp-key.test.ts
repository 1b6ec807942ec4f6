import { beforeEach, describe, expect, it } from 'vitest';
import { loadStampKey } from '../../../../controller/source/stamp-key.ts';
import { ApiError, type ApiErrorReason, TransportError } from '../../../../shared/kube/errors.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { ownNamespace } from '../arbitraries.ts';

let clock: ManualClock;
let api: FakeApi;
let told: string[];

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  told = [];
});

/** The key of one process after another. */
async function load(signal = new AbortController().signal): Promise<string> {
  const loading = loadStampKey({
    client: api,
    namespace: ownNamespace,
    clock,
    random: () => 0.5,
    logger: { ...silentLogger, warn: (text) => told.push(text), error: (text) => told.push(text) },
    signal,
  });
  let loaded = false;
  void loading.finally(() => {
    loaded = true;
  });
  await clock.until(() => loaded);
  return (await loading).toString('base64');
}

describe('the stamp key', () => {
  it('is the same for all processes', async () => {
    expect(await load()).toBe(await load());
    expect(told).toEqual([]);
  });

  it.each([
    new ApiError(503, 'ServerError'),
    new ApiError(429, 'TooManyRequests'),
    new ApiError(401, 'Unauthorized'),
    new TransportError('Timeout', true, ''),
  ])('is waited for while the source cluster does not give it: $message', async (error) => {
    const key = await load();
    api.failNext('get', error, 3);
    expect(await load()).toBe(key);
    expect(told).toEqual(Array(3).fill('stamp key cannot be read, no work begins before that'));
  });

  it('is found where the answer to its creation was lost', async () => {
    let lost = false;
    api.fault = ({ verb }) => {
      if (verb !== 'create' || lost) {
        return undefined;
      }
      lost = true;
      return { after: new TransportError('ConnectionReset', true, '') };
    };
    expect(await load()).toBe(await load());
    expect(lost).toBe(true);
  });

  it.each<readonly [string, number, ApiErrorReason]>([
    ['get', 403, 'Forbidden'],
    ['create', 403, 'Forbidden'],
    ['create', 404, 'NamespaceNotFound'],
  ])('is one of the process where the API server refuses to %s it: %s %s', async (verb, status, reason) => {
    api.failNext(verb === 'get' ? 'get' : 'create', new ApiError(status, reason), 1);
    expect(Buffer.from(await load(), 'base64')).toHaveLength(32);
    expect(told).toHaveLength(1);
  });

  it('is no longer asked for once the term is over', async () => {
    const over = new AbortController();
    over.abort();
    await load(over.signal);
    expect(told).toEqual([]);
  });
});

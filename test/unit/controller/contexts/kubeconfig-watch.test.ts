import { expect, test } from 'vitest';
import { KubeconfigWatch, type ReadResult } from '../../../../controller/contexts/kubeconfig-watch.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { secrets } from '../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { anObject, FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

/** A kubeconfig whose contexts lead to these servers, with a token each. */
function kubeconfig(servers: Readonly<Record<string, string>>): string {
  const names = Object.keys(servers);
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: names.map((name) => ({ name, cluster: { server: servers[name] } })),
    users: names.map((name) => ({ name, user: { token: 'c4n4ry' } })),
    contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
  });
}

test('a kubeconfig in another cluster at the address of the source is not used', async () => {
  const clock = new ManualClock();
  const [source, other] = [new FakeApi(clock), new FakeApi(clock)];
  for (const [api, name] of [[source, 'ours'] as const, [other, 'theirs'] as const]) {
    api.put(secrets, {
      ...anObject(secrets, 'context-syncer', 'contexts'),
      data: {
        kubeconfig: Buffer.from(kubeconfig({ [name]: 'https://10.0.0.1:6443' })).toString('base64'),
      },
    });
  }
  let place = other;
  const used: string[] = [];
  const stop = new AbortController();
  const running = new KubeconfigWatch({
    setting: { from: 'secret', namespace: 'context-syncer', name: 'contexts', key: 'kubeconfig' },
    plugins: new Map(),
    client: {
      list: (...request) => place.list(...request),
      watch: (...request) => place.watch(...request),
      server: source.server,
    },
    confirm: () => (place === source ? Promise.resolve() : Promise.reject(new Error('another cluster'))),
    clock,
    random: () => 0.5,
    logger: silentLogger,
    onContexts: (contexts) => {
      used.push(...contexts.map(({ name }) => name));
    },
    onRead: () => undefined,
  }).run(stop.signal);
  await clock.advance(10_000);
  place = source;
  await clock.advance(30_000);
  stop.abort();
  await running;
  expect(used).toEqual(['ours']);
});

test('whether the present kubeconfig is in use is told, also where the Secret is gone and comes back as it was', async () => {
  const clock = new ManualClock();
  const api = new FakeApi(clock);
  const put = (text: string): void => {
    api.put(secrets, {
      ...anObject(secrets, 'context-syncer', 'contexts'),
      data: { kubeconfig: Buffer.from(text).toString('base64') },
    });
  };
  const good = kubeconfig({ a: 'https://10.0.0.1:6443' });
  put(good);
  let last: ReadResult | undefined;
  const stop = new AbortController();
  const running = new KubeconfigWatch({
    setting: { from: 'secret', namespace: 'context-syncer', name: 'contexts', key: 'kubeconfig' },
    plugins: new Map(),
    client: api,
    confirm: () => Promise.resolve(),
    clock,
    random: () => 0.5,
    logger: silentLogger,
    onContexts: () => undefined,
    onRead: (result) => {
      last = result;
    },
  }).run(stop.signal);
  await clock.until(() => last === 'accepted');
  put('{');
  await clock.until(() => last === 'refused');
  put(good);
  await clock.until(() => last === 'accepted');
  api.drop(secrets, 'context-syncer', 'contexts');
  await clock.until(() => last === 'missing');
  put(good);
  await clock.until(() => last === 'accepted');
  api.endWatches(new TransportError('ConnectionReset', true, ''));
  api.failNext('list', new ApiError(500, 'ServerError'), 3);
  await clock.advance(60_000);
  expect(last).toBe('accepted');
  stop.abort();
  await running;
});

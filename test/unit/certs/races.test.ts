import { expect, test } from 'vitest';
import { makeAuthority } from '../../../certs/authority.ts';
import { CaBundle, type WebhookConfiguration } from '../../../certs/ca-bundle.ts';
import { CaStore } from '../../../certs/ca-store.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import { secrets, validatingWebhookConfigurations } from '../../../shared/kube/resource.ts';
import { FakeApi } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { quickKeys } from './quick-keys.ts';

const api = new FakeApi(new ManualClock());
const { signal } = new AbortController();
const material = quickKeys();

const content = async () => ({
  signing: { ...(await makeAuthority(policy, Date.UTC(2026, 0, 1), material)), publishedAt: undefined },
  next: undefined,
  retired: [],
});

test('a caBundle is not written over a configuration that changed since it was read', async () => {
  const configuration = (...names: string[]): WebhookConfiguration => ({
    metadata: { name: 'hook' },
    webhooks: names.map((name) => ({ name, clientConfig: {} })),
  });
  const bundle = new CaBundle({ client: api, name: 'hook' });
  expect(await bundle.read(signal)).toEqual({ kind: 'absent' });
  api.put(validatingWebhookConfigurations, configuration('a'));
  const read = await bundle.read(signal);
  if (read.kind === 'absent') throw new Error('it was put there');
  api.put(validatingWebhookConfigurations, configuration('a', 'b'));
  expect(await bundle.write(read, 'PEM', signal)).toBe('lost');
  expect(api.peek(validatingWebhookConfigurations, undefined, 'hook')).toMatchObject(configuration('a', 'b'));
  api.drop(validatingWebhookConfigurations, undefined, 'hook');
  expect(await bundle.write(read, 'PEM', signal)).toBe('lost');
});

test('of two that create, change, or change what was deleted, one wins and the other is told', async () => {
  const store = new CaStore({ client: api, namespace: 'ns', name: 'ca' });
  const absent = await store.read(signal);
  const first = await content();
  expect(await store.write(absent, first, signal)).toBe('written');
  expect(await store.write(absent, await content(), signal)).toBe('lost');
  const read = await store.read(signal);
  expect(read).toMatchObject({ kind: 'usable', authorities: first });
  const second = await content();
  expect(await store.write(read, second, signal)).toBe('written');
  expect(await store.write(read, first, signal)).toBe('lost');
  expect(await store.read(signal)).toMatchObject({ authorities: second });
  api.drop(secrets, 'ns', 'ca');
  expect(await store.write(read, first, signal)).toBe('lost');
  expect(await store.read(signal)).toEqual({ kind: 'absent' });
});

import { expect, test } from 'vitest';
import { CaBundle, type WebhookConfiguration } from '../../../certs/ca-bundle.ts';
import { CaStore } from '../../../certs/ca-store.ts';
import { makeCa } from '../../../certs/issue.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { secrets, validatingWebhookConfigurations } from '../../../shared/kube/resource.ts';
import { FakeApi } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { quickKeys } from './quick-keys.ts';

const clock = new ManualClock();
const api = new FakeApi(clock);
const { signal } = new AbortController();
const material = quickKeys();

const content = async () => ({
  signing: await makeCa(policy, Date.UTC(2026, 0, 1), material),
  next: undefined,
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

test('of two that change the Secret, or change one that was deleted, one wins and the other gets a conflict', async () => {
  const store = new CaStore({ client: api, namespace: 'ns', name: 'ca' });
  const times: number[] = [];
  const read = () => store.read(signal, (time) => times.push(time));
  const present = async () => {
    const stored = await read();
    if (stored.kind === 'absent') throw new Error('it was put there');
    return stored;
  };
  expect(await read()).toEqual({ kind: 'absent' });
  const shipped = { metadata: { namespace: 'ns', name: 'ca', labels: { kept: 'yes' } }, type: 'Opaque' };
  api.put<PayloadObject>(secrets, { ...shipped, data: { other: 'entry' } });
  const empty = await present();
  expect(empty).toMatchObject({ kind: 'unusable', why: 'empty' });
  const first = await content();
  expect(await store.write(empty.secret, first, signal)).toBe('written');
  expect(await store.write(empty.secret, await content(), signal)).toBe('lost');
  const filled = await present();
  expect(filled).toMatchObject({ kind: 'usable', cas: first });
  const second = await content();
  expect(await store.write(filled.secret, second, signal)).toBe('written');
  expect(await store.write(filled.secret, first, signal)).toBe('lost');
  expect(await read()).toMatchObject({ cas: second });
  expect(api.peek(secrets, 'ns', 'ca')).toMatchObject({ ...shipped, data: { other: 'entry' } });
  api.drop(secrets, 'ns', 'ca');
  expect(await store.write(filled.secret, first, signal)).toBe('lost');
  expect(await read()).toEqual({ kind: 'absent' });
  expect(times).toEqual(times.map(() => clock.now()));
});

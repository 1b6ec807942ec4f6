import { expect, onTestFinished, test } from 'vitest';
import type { KubeEvent } from '../../../controller/events/record.ts';
import {
  createEventRecorder,
  type EventRecorder,
  type EventSubject,
} from '../../../controller/events/recorder.ts';
import { systemClock } from '../../../shared/clock.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { configMaps, events } from '../../../shared/kube/resource.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';
import { adminClient, makeNamespace } from '../kube/admin-client.ts';

const sandbox = useSandbox({ targets: 0 });
const within = { timeout: 30_000, interval: 20 };

interface Scene {
  readonly recorder: EventRecorder;
  readonly object: EventSubject;
  readonly stored: () => Promise<readonly KubeEvent[]>;
}

/** A ConfigMap in a namespace of its own, and a recorder that runs until the test is over. */
async function scene(namespace: string, name: string): Promise<Scene> {
  await makeNamespace(sandbox().source, namespace);
  const client = await adminClient(sandbox().source);
  const made = await client.create<PayloadObject>(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name },
  });
  const recorder = createEventRecorder({
    client,
    component: 'context-syncer',
    instance: 'test-1',
    clock: systemClock(),
    random: Math.random,
    logger: silentLogger,
  });
  const stop = new AbortController();
  const running = recorder.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return {
    recorder,
    object: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name, uid: made.metadata.uid ?? '' },
    stored: async () => (await client.list<KubeEvent>(events, { namespace, shape: 'full' })).items ?? [],
  };
}

test('kubectl describe shows the Event, and how often it happened', async () => {
  const { recorder, object, stored } = await scene('described', 'omni');
  const note = {
    object,
    type: 'Warning',
    reason: 'UnknownContext',
    message: 'context "x" is unknown',
  } as const;
  recorder.record(note);
  await expect.poll(async () => (await stored()).map((event) => event.count), within).toEqual([1]);
  recorder.record(note);
  recorder.record(note);
  await expect.poll(async () => (await stored()).map((event) => event.count), within).toEqual([3]);
  const { stdout } = await sandbox().source.kubectl(['describe', 'configmap', 'omni', '-n=described']);
  expect(stdout).toMatch(
    /Warning\s+UnknownContext\s+.*\(x3 over .*\)\s+context-syncer\s+context "x" is unknown/,
  );
});

test('an Event that somebody deleted is created again', async () => {
  const { recorder, object, stored } = await scene('deleted', 'omni');
  const note = { object, type: 'Normal', reason: 'Synced', message: 'in sync' } as const;
  recorder.record(note);
  await expect.poll(async () => (await stored()).length, within).toBe(1);
  const [first] = await stored();
  await sandbox().source.kubectl(['delete', 'events', '--all', '-n=deleted']);
  recorder.record(note);
  await expect.poll(async () => (await stored()).length, within).toBe(1);
  expect((await stored())[0]?.metadata.name).not.toBe(first?.metadata.name);
});

test('the longest name and message are accepted', async () => {
  const name = `${'a'.repeat(60)}.${'b'.repeat(192)}`;
  const { recorder, object, stored } = await scene('longest', name);
  recorder.record({ object, type: 'Normal', reason: 'Synced', message: '😀'.repeat(2_000) });
  await expect.poll(async () => (await stored()).length, within).toBe(1);
  expect(recorder.dropped).toBe(0);
});

test('a namespace that is gone costs the Event, and nothing else', async () => {
  const { recorder, object, stored } = await scene('alive', 'omni');
  recorder.record({
    object: { ...object, namespace: 'gone' },
    type: 'Normal',
    reason: 'Synced',
    message: 'a',
  });
  recorder.record({ object, type: 'Normal', reason: 'Synced', message: 'b' });
  await expect.poll(async () => (await stored()).length, within).toBe(1);
  expect(recorder.dropped).toBe(1);
});

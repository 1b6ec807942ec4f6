import { expect, onTestFinished, test } from 'vitest';
import { runWithLeases } from '../../../controller/lease/lease.ts';
import type { Lease } from '../../../controller/lease/record.ts';
import { systemClock } from '../../../shared/clock.ts';
import type { KubeClient } from '../../../shared/kube/client.ts';
import { leases } from '../../../shared/kube/resource.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';
import { adminClient, makeNamespace } from '../kube/admin-client.ts';

const sandbox = useSandbox({ targets: 0 });
const within = { timeout: 30_000, interval: 20 };
const aSignal = (): AbortController => new AbortController();

interface Candidate {
  readonly stop: AbortController;
  readonly transitions: string[];
  readonly done: Promise<void>;
  leading: boolean;
}

/** A candidate with short periods, stopped when the test is over. */
function compete(client: KubeClient, namespace: string, identity: string): Candidate {
  const stop = aSignal();
  const candidate = { stop, transitions: new Array<string>(), leading: false };
  const done = runWithLeases(
    {
      client,
      namespace,
      names: ['controller'],
      keys: { shards: 'test/shards', wantedBy: 'test/wanted-by' },
      identity,
      clock: systemClock(),
      random: Math.random,
      logger: silentLogger,
      leaseDurationMs: 3_000,
      renewDeadlineMs: 2_000,
      retryPeriodMs: 200,
      onTransition: (state, detail) => candidate.transitions.push(`${state} ${detail}`),
    },
    async (_index, signal) => {
      candidate.leading = true;
      await systemClock().sleep(600_000, signal);
      candidate.leading = false;
    },
    stop.signal,
  );
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return Object.assign(candidate, { done });
}

function read(client: KubeClient, namespace: string): Promise<Lease> {
  return client.get<Lease>(leases, namespace, 'controller');
}

test('one leads, renews, and hands over when it stops', async () => {
  await makeNamespace(sandbox().source, 'handover');
  const client = await adminClient(sandbox().source);
  const a = compete(client, 'handover', 'a');
  await expect.poll(() => a.leading, within).toBe(true);
  const first = await read(client, 'handover');
  expect(first.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 3, leaseTransitions: 0 });
  const b = compete(client, 'handover', 'b');
  await expect.poll(() => b.transitions, within).toEqual(['standby a']);
  await expect
    .poll(async () => (await read(client, 'handover')).spec?.renewTime, within)
    .not.toBe(first.spec?.renewTime);
  a.stop.abort();
  await a.done;
  await expect.poll(() => b.leading, within).toBe(true);
  expect((await read(client, 'handover')).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

test('a holder that went without a word is succeeded', async () => {
  await makeNamespace(sandbox().source, 'dead');
  const client = await adminClient(sandbox().source);
  await client.create<Lease>(leases, {
    metadata: { namespace: 'dead', name: 'controller' },
    spec: {
      holderIdentity: 'dead',
      leaseDurationSeconds: 3,
      renewTime: '2099-01-01T00:00:00.000000Z',
      leaseTransitions: 2,
    },
  });
  const b = compete(client, 'dead', 'b');
  await expect.poll(() => b.leading, within).toBe(true);
  expect(b.transitions).toEqual(['standby dead', 'leading b']);
  expect((await read(client, 'dead')).spec?.leaseTransitions).toBe(3);
});

test('of many that start at once one leads', async () => {
  await makeNamespace(sandbox().source, 'crowd');
  const client = await adminClient(sandbox().source);
  const crowd = Array.from({ length: 8 }, (_, index) => compete(client, 'crowd', `candidate-${index}`));
  await expect.poll(() => crowd.every((candidate) => candidate.transitions.length > 0), within).toBe(true);
  expect(crowd.filter((candidate) => candidate.leading)).toHaveLength(1);
});

test('a leader whose API server stops answering stops leading, and leads again when it answers', async () => {
  await makeNamespace(sandbox().source, 'silent');
  const client = await adminClient(sandbox().source);
  const a = compete(client, 'silent', 'a');
  await expect.poll(() => a.leading, within).toBe(true);
  await sandbox().source.pause();
  await expect.poll(() => a.leading, within).toBe(false);
  await sandbox().source.resume();
  await expect.poll(() => a.leading, within).toBe(true);
  expect(a.transitions).toEqual(['leading a', 'unavailable Timeout', 'leading a']);
});

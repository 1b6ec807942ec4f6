import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { apply, removeAnnotation, setData } from '../harness/kubectl.ts';
import { metric, scrape } from '../harness/metrics.ts';
import { processed } from '../harness/processed.ts';
import type { Program } from '../harness/program.ts';
import { appears, disappears, find, type Stage, syncContexts, useStage } from '../harness/stage.ts';

const stage = useStage({ targets: 2 });

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);
  await here.createNamespace('demo');
  await here.createNamespace('context-syncer', [here.source]);
});

test('of two controllers one leads; when it is killed, the other takes over, and everything is in sync', async () => {
  const here = stage();
  const { source } = here;
  const [first, second] = [await startElected(here), await startElected(here)];
  const leader = await eventually('one of them leads', () => theLeader(first, second));
  const standby = leader === first ? second : first;
  await apply(source, configMap('kept', 'before'));
  await apply(source, configMap('given-up', 'before'));
  const kept = await appears(here.target(1), 'configmaps', 'demo', 'kept');
  await appears(here.target(2), 'configmaps', 'demo', 'given-up');
  expect(await isLeading(standby)).toBe(false);
  expect(standby.log.some(({ msg }) => msg === 'standing by')).toBe(true);
  expect(await scrape(leader)).toContain('context_syncer_context_up{context="context-1"} 1');
  expect(await scrape(standby)).not.toContain('context_syncer_context_up{');
  const { holderIdentity } = await lease(here);

  await leader.kill();
  await setData(source, 'demo', 'configmap/kept', { value: 'after' });
  await removeAnnotation(source, 'demo', 'configmap/given-up');
  await apply(source, configMap('new', 'after'));

  for (const target of [here.target(1), here.target(2)]) {
    await appears(target, 'configmaps', 'demo', 'new');
    await appears(target, 'configmaps', 'demo', 'kept', ({ data }) => {
      expect(data).toEqual({ value: 'after' });
    });
    await disappears(target, 'configmaps', 'demo', 'given-up');
  }
  expect((await find(here.target(1), 'configmaps', 'demo', 'kept'))?.metadata.uid).toBe(kept.metadata.uid);
  expect(await isLeading(standby)).toBe(true);
  const after = await lease(here);
  expect(after.holderIdentity).not.toBe(holderIdentity);
  expect(after).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 1 });

  // The clean way: the lease is given back, and somebody else can lead without waiting for it to run out.
  expect(await standby.stop()).toEqual({ code: 0, signal: null });
  expect((await lease(here)).holderIdentity).toBe('');
});

test('a leader that was suspended finds another in its place, and the two do each other no harm', async () => {
  const here = stage();
  const { source } = here;
  const [first, second] = [await startElected(here), await startElected(here)];
  const leader = await eventually('one of them leads', () => theLeader(first, second));
  const standby = leader === first ? second : first;
  await apply(source, configMap('passed-on', 'before'));
  const copy = await appears(here.target(1), 'configmaps', 'demo', 'passed-on');

  process.kill(leader.pid, 'SIGSTOP');
  await setData(source, 'demo', 'configmap/passed-on', { value: 'after' });
  await appears(here.target(1), 'configmaps', 'demo', 'passed-on', ({ data }) => {
    expect(data).toEqual({ value: 'after' });
  });
  const level = await find(here.target(1), 'configmaps', 'demo', 'passed-on');
  process.kill(leader.pid, 'SIGCONT');

  await eventually('the old leader stands by', async () => {
    expect(await isLeading(leader)).toBe(false);
  });
  expect(await isLeading(standby)).toBe(true);
  await processed(here, standby, { context: 'context-1', target: 1, namespace: 'demo' });
  expect(await find(here.target(1), 'configmaps', 'demo', 'passed-on')).toEqual(level);
  expect(level?.metadata.uid).toBe(copy.metadata.uid);

  // Given back, the lease passes on at once; a process that led before leads as well as one that never did.
  expect(await standby.stop()).toEqual({ code: 0, signal: null });
  await setData(source, 'demo', 'configmap/passed-on', { value: 'back' });
  await appears(here.target(1), 'configmaps', 'demo', 'passed-on', ({ data, metadata }) => {
    expect(data).toEqual({ value: 'back' });
    expect(metadata.uid).toBe(copy.metadata.uid);
  });
  expect(await isLeading(leader)).toBe(true);
});

test('two controllers that both write without an election make one copy of each object, and then leave it alone', async () => {
  const here = stage();
  const { source } = here;
  const controllers = [await here.startController(), await here.startController()];
  const names = Array.from({ length: 20 }, (_, index) => `shared-${index}`);
  await Promise.all(names.map((name) => apply(source, configMap(name, 'before'))));
  const uids = await Promise.all(
    names.map(async (name) => (await appears(here.target(1), 'configmaps', 'demo', name)).metadata.uid),
  );
  await Promise.all(names.map((name) => setData(source, 'demo', `configmap/${name}`, { value: 'after' })));
  const copies = await Promise.all(
    names.map((name) =>
      appears(here.target(1), 'configmaps', 'demo', name, ({ data }) => {
        expect(data).toEqual({ value: 'after' });
      }),
    ),
  );
  expect(copies.map(({ metadata }) => metadata.uid)).toEqual(uids);

  for (const controller of controllers) {
    await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
  }
  const later = await Promise.all(names.map((name) => find(here.target(1), 'configmaps', 'demo', name)));
  expect(later).toEqual(copies);
});

test('without its own namespace a controller with leader election reports that, copies nothing, and works once it exists', async () => {
  const here = stage();
  const { source } = here;
  await apply(source, configMap('patient', 'there'));
  const controller = await startElected(here, ['--namespace=not-yet']);
  const complaint = await eventually('it says what is missing', () => {
    const line = controller.log.find(({ msg }) => msg === 'lease unavailable, retrying');
    if (line === undefined) {
      throw new Error('not yet');
    }
    return line;
  });
  expect(complaint).toMatchObject({
    level: 'error',
    lease: 'not-yet/context-syncer-controller',
    reason: 'NamespaceNotFound',
    remedy: 'create the namespace',
  });
  expect(await find(here.target(1), 'configmaps', 'demo', 'patient')).toBeUndefined();
  expect(await isLeading(controller)).toBe(false);

  await source.kubectl(['create', 'namespace', 'not-yet']);
  await appears(here.target(1), 'configmaps', 'demo', 'patient');
  expect(await isLeading(controller)).toBe(true);
});

test('without its own namespace a controller without leader election reports that, and copies', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController(['--leader-elect=false', '--namespace=never']);
  await apply(source, configMap('impatient', 'before'));
  await appears(here.target(1), 'configmaps', 'demo', 'impatient');
  await setData(source, 'demo', 'configmap/impatient', { value: 'after' });
  await appears(here.target(2), 'configmaps', 'demo', 'impatient', ({ data }) => {
    expect(data).toEqual({ value: 'after' });
  });
  expect(controller.log).toContainEqual(
    expect.objectContaining({ level: 'warn', namespace: 'never', reason: 'NamespaceNotFound' }),
  );
  await removeAnnotation(source, 'demo', 'configmap/impatient');
  await disappears(here.target(1), 'configmaps', 'demo', 'impatient');
});

async function startElected(here: Stage, flags: readonly string[] = []): Promise<Program> {
  return await here.startController(['--leader-elect', ...flags]);
}

async function isLeading(program: Program): Promise<boolean> {
  return (await metric(program, 'leader_election_master_status')) === 1;
}

async function theLeader(first: Program, second: Program): Promise<Program> {
  const leading = [await isLeading(first), await isLeading(second)];
  expect(leading.filter(Boolean)).toHaveLength(1);
  return leading[0] === true ? first : second;
}

async function lease(here: Stage) {
  const { body } = await here.source.request<{
    spec: { holderIdentity: string; leaseDurationSeconds: number; leaseTransitions: number };
  }>('GET', '/apis/coordination.k8s.io/v1/namespaces/context-syncer/leases/context-syncer-controller');
  return body.spec;
}

function configMap(name: string, value: string) {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace: 'demo', annotations: { [syncContexts]: 'context-1,context-2' } },
    data: { value },
  } as const;
}

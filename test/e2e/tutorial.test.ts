import { beforeAll, expect, test } from 'vitest';
import { appears, disappears, syncContexts, useStage } from '../harness/stage.ts';

const stage = useStage({ targets: 2 });

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2), namespace: 'demo-cluster-2' },
  ]);
  await here.createNamespace('demo');
  await here.createNamespace('demo-cluster-2');
});

test('a ConfigMap is in every listed cluster, follows its source, and goes with the annotation', async () => {
  const here = stage();
  const { source } = here;
  await here.startController();
  await source.kubectl(['create', 'configmap', 'omni', '-n', 'demo', '--from-literal=leave=no']);
  await source.kubectl([
    'annotate',
    'configmap',
    'omni',
    '-n',
    'demo',
    `${syncContexts}=context-1,context-2`,
  ]);

  const first = await appears(here.target(1), 'configmaps', 'demo', 'omni');
  const second = await appears(here.target(2), 'configmaps', 'demo-cluster-2', 'omni');
  expect(first.data).toEqual({ leave: 'no' });
  expect(second.data).toEqual({ leave: 'no' });

  await source.kubectl(['annotate', 'configmap', 'omni', '-n', 'demo', `${syncContexts}-`]);
  await disappears(here.target(1), 'configmaps', 'demo', 'omni');
  await disappears(here.target(2), 'configmaps', 'demo-cluster-2', 'omni');
});

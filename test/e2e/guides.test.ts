import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Block, blocksBelow, Follower } from '../harness/guide.ts';
import { apply } from '../harness/kubectl.ts';
import { LocalBase } from '../harness/local-base.ts';
import { manifestsFolder, ownNamespace } from '../harness/manifests.ts';
import { appears, disappears, find, syncContexts, useStage } from '../harness/stage.ts';
import { freePort } from '../sandbox/network/free-port.ts';

/** One installation, which a reader of the guides makes, uses and removes; tests come in this order. */
const stage = useStage({ targets: 2 });
let reader: Follower;

beforeAll(async () => {
  const here = stage();
  const { folder, binaries } = here.sandbox;
  const kubeconfig = join(folder, 'reader.yaml');
  await writeFile(
    kubeconfig,
    here.sandbox.contextsKubeconfig([
      { name: 'hub', cluster: here.source },
      { name: 'context-1', cluster: here.target(1) },
      { name: 'context-2', cluster: here.target(2) },
    ]),
    { mode: 0o600 },
  );
  reader = new Follower(folder, { kubectl: binaries.kubectl, kubeconfig });
  await cp(manifestsFolder, join(folder, 'manifests'), { recursive: true });
});

/** Starts what the Deployments of the reader's overlay would run. No Service leads to a webhook here. */
async function startPods(): Promise<void> {
  const { sandbox, source } = stage();
  const base = await LocalBase.prepare({
    sandbox,
    folder: sandbox.folder,
    webhookPort: await freePort(),
    from: join(sandbox.folder, 'manifests', 'overlays', 'mine'),
  });
  await source.kubectl(['apply', '-k', base.overlay]);
  const programs = [
    stage().launch(await base.controllerArguments()),
    stage().launch(await base.webhookArguments()),
  ];
  await Promise.all(programs.map((program) => program.ready()));
}

/** Blocks for programs that are not on this machine are left to the reader. */
function needsNothing({ text }: Block): boolean {
  return !/^(docker|gcloud|aws|az) /m.test(text);
}

async function doesAll(
  blocks: readonly Block[],
  placeholders?: Readonly<Record<string, string>>,
): Promise<string> {
  let output = '';
  for (const block of blocks.filter(needsNothing)) {
    output += await reader.does(block, placeholders);
  }
  return output;
}

test('the guides do what they say, from the installation to its removal', async () => {
  const here = stage();
  const { source } = here;

  await doesAll(await blocksBelow('README.md', 'Install'));
  await startPods();
  await doesAll(await blocksBelow('README.md', 'Annotate'));
  for (const target of [here.target(1), here.target(2)]) {
    const copy = await appears(target, 'configmaps', 'demo', 'omni');
    expect(copy.data).toEqual({ leave: 'no' });
  }

  const [mistake] = await blocksBelow('README.md', 'Make a mistake');
  expect(await reader.shown(mistake ?? { language: '', text: '' })).toBe(mistake?.text);

  // The kubeconfig is replaced by one that means the same; nothing changes.
  await doesAll(await blocksBelow('docs/kubeconfig.md', 'Changes'));

  // Removal: copies first.
  const [uninstall, takeOff, look] = await blocksBelow('docs/operations.md', 'Uninstall');
  expect(uninstall).toBeDefined();
  await doesAll(takeOff === undefined ? [] : [takeOff]);
  await disappears(here.target(1), 'configmaps', 'demo', 'omni');
  await disappears(here.target(2), 'configmaps', 'demo', 'omni');
  expect(await doesAll(look === undefined ? [] : [look])).toBe('');
  expect(await find(source, 'configmaps', 'demo', 'omni')).toBeDefined();

  await here.endPrograms();
  const removed = doesAll(uninstall === undefined ? [] : [uninstall]);
  // There is no controller manager to empty the namespace, for which kubectl waits.
  await eventually('the namespace is deleted', async () => {
    const { body } = await source.request<{ metadata: { deletionTimestamp?: string } }>(
      'GET',
      `/api/v1/namespaces/${ownNamespace}`,
    );
    expect(body.metadata.deletionTimestamp).toBeDefined();
  });
  await source.request('PUT', `/api/v1/namespaces/${ownNamespace}/finalize`, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: ownNamespace },
    spec: { finalizers: [] },
  });
  await removed;
});

test('the commands for those who come from Kubed show its kubeconfig, its lists and its copies', async () => {
  const here = stage();
  const { source } = here;
  const kubeconfig = here.sandbox.contextsKubeconfig([{ name: 'context-1', cluster: here.target(1) }]);
  await here.createNamespace('kubed');
  await source.kubectl([
    'create',
    'secret',
    'generic',
    'kubed',
    '-n',
    'kubed',
    `--from-literal=kubeconfig=${kubeconfig}`,
  ]);
  await source.kubectl(['create', 'deployment', 'kubed', '-n', 'kubed', '--image=kubed']);
  await apply(source, {
    kind: 'ConfigMap',
    metadata: { name: 'listed', namespace: 'kubed', annotations: { [syncContexts]: 'context-1,gone' } },
  });
  await apply(here.target(1), {
    kind: 'ConfigMap',
    metadata: {
      name: 'left-over',
      namespace: 'kubed',
      labels: { 'kubed.appscode.com/origin.cluster': 'hub' },
      annotations: { 'kubed.appscode.com/origin': '{"namespace":"kubed","name":"left-over"}' },
    },
  });

  const shown = await doesAll(await blocksBelow('docs/coming-from-kubed.md', 'Take over'), {
    'KUBED-SECRET': 'kubed',
    'KUBED-NAMESPACE': 'kubed',
    'CLUSTER-NAME': 'hub',
    ' KUBED ': ' kubed ',
  });
  expect(shown.split('\n')).toEqual([
    'ConfigMap kubed/listed: context-1,gone',
    'context-1',
    'deployment.apps/kubed scaled',
    'ConfigMap kubed/left-over {"namespace":"kubed","name":"left-over"}',
    '',
  ]);
});

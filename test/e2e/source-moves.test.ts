import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { apply, setData } from '../harness/kubectl.ts';
import { metric } from '../harness/metrics.ts';
import { processed } from '../harness/processed.ts';
import type { Program } from '../harness/program.ts';
import { appears, find, syncContexts, useStage } from '../harness/stage.ts';
import { FaultProxy } from '../sandbox/network/fault-proxy.ts';

/** Target 2 takes the source's place, with an authority and tokens that the controller accepts. */
const stage = useStage({ targets: 2, sharedCredentials: true });
const ownNamespace = 'context-syncer';

beforeAll(async () => {
  const here = stage();
  await here.setContexts([{ name: 'context-1', cluster: here.target(1) }]);
  for (const namespace of ['moved', ownNamespace]) {
    await here.createNamespace(namespace);
  }
});

test.each([
  { connections: 'cut', cut: true },
  { connections: 'kept', cut: false },
])(
  'neither a leader nor a standby writes where the address of the source leads now, standing connections $connections',
  async ({ cut }) => {
    const here = stage();
    await using proxy = await FaultProxy.start(here.source);
    const flags = ['--leader-elect', `--kubeconfig=${await kubeconfigOf(proxy)}`];
    const controllers = [await here.startController(flags), await here.startController(flags)];
    await eventually('one of them leads', () => leaders(controllers, 1));
    await apply(here.source, configMap('source', `before ${cut}`));
    await appears(here.target(1), 'configmaps', 'moved', 'source', hasValue(`before ${cut}`));

    proxy.lead(here.target(2));
    if (cut) {
      proxy.cut();
    }
    for (const controller of controllers) {
      await readinessSays(controller, 'is another cluster');
    }
    await eventually('nobody leads', () => leaders(controllers, 0));
    expect(await written()).toEqual([]);

    proxy.lead(here.source);
    if (cut) {
      proxy.cut();
    }
    await eventually('one of them leads again', () => leaders(controllers, 1));
    await setData(here.source, 'moved', 'configmap/source', { value: `after ${cut}` });
    await appears(here.target(1), 'configmaps', 'moved', 'source', hasValue(`after ${cut}`));
    expect(await written()).toEqual([]);
  },
);

test('what another cluster says on connections that outlast its time at the address deletes nothing', async () => {
  const here = stage();
  await using proxy = await FaultProxy.start(here.source);
  const controller = await here.startController([
    '--leader-elect=false',
    `--kubeconfig=${await kubeconfigOf(proxy)}`,
  ]);
  const names = ['kept-1', 'kept-2', 'kept-3'];
  const copies = await Promise.all(
    names.map(async (name) => {
      await apply(here.source, configMap(name, 'there'));
      return await appears(here.target(1), 'configmaps', 'moved', name);
    }),
  );

  proxy.lead(here.target(2));
  proxy.cut();
  await readinessSays(controller, 'is another cluster');
  // Connections that were opened to the other cluster stay, and new ones lead to the source.
  proxy.lead(here.source);
  await controller.ready();
  await processed(here, controller, { context: 'context-1', target: 1, namespace: 'moved' });
  expect(await Promise.all(names.map((name) => find(here.target(1), 'configmaps', 'moved', name)))).toEqual(
    copies,
  );
});

/** What a controller wrote on target 2, in its own namespace and beside sources. */
async function written(): Promise<readonly string[]> {
  const inNamespace = (namespace: string): readonly string[] => [
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
    `/api/v1/namespaces/${namespace}/secrets`,
    `/api/v1/namespaces/${namespace}/configmaps`,
    `/api/v1/namespaces/${namespace}/events`,
  ];
  const lists = await Promise.all(
    [ownNamespace, 'moved'].flatMap(inNamespace).map(async (path) => {
      const { body } = await stage()
        .target(2)
        .request<{ items: readonly { metadata: { name: string } }[] }>('GET', path);
      return body.items.map(({ metadata }) => `${path}/${metadata.name}`);
    }),
  );
  return lists.flat();
}

async function kubeconfigOf(proxy: FaultProxy): Promise<string> {
  const { sandbox, source } = stage();
  const file = join(sandbox.folder, `moving-${proxy.port}.kubeconfig`);
  await writeFile(file, sandbox.contextsKubeconfig([{ name: 'source', cluster: source, server: proxy.url }]));
  return file;
}

async function leaders(controllers: readonly Program[], count: number): Promise<void> {
  const leading = await Promise.all(
    controllers.map((controller) => metric(controller, 'leader_election_master_status')),
  );
  expect(leading.filter((status) => status === 1)).toHaveLength(count);
}

async function readinessSays(controller: Program, sentence: string): Promise<void> {
  await eventually('readiness says what happened', async () => {
    const answer = await fetch(`${await controller.endpoint('health')}/readyz?verbose`);
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining(sentence)]);
  });
}

function hasValue(value: string): (object: { readonly data?: Readonly<Record<string, string>> }) => void {
  return ({ data }) => {
    expect(data).toEqual({ value });
  };
}

function configMap(name: string, value: string) {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace: 'moved', annotations: { [syncContexts]: 'context-1' } },
    data: { value },
  } as const;
}

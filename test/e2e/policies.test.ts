import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { blocksBelow } from '../harness/guide.ts';
import { create } from '../harness/kubectl.ts';
import { appears, eventAbout, find, syncContexts, useStage } from '../harness/stage.ts';

/** No webhook stands before the controller: it is what keeps the policies. */
const stage = useStage({ targets: 3 });

beforeAll(async () => {
  const here = stage();
  await Promise.all(['team-a', 'team-b', 'platform'].map((name) => here.createNamespace(name)));
  await here.setContexts([
    { name: 'dev', cluster: here.target(1) },
    { name: 'prod-a', cluster: here.target(2) },
    { name: 'prod-b', cluster: here.target(3) },
  ]);
});

async function annotated(
  kind: 'ConfigMap' | 'Secret',
  namespace: string,
  name: string,
  list: string,
): Promise<void> {
  const metadata = { name, namespace, annotations: { [syncContexts]: list } };
  await create(stage().source, { kind, metadata });
}

test("with the guide's policies for two teams, each reaches its own contexts, and reads why not the others", async () => {
  const here = stage();
  const { source } = here;
  const [dev, prodA, prodB] = [here.target(1), here.target(2), here.target(3)];
  const [policies, refusal] = await blocksBelow('docs/kubeconfig.md', 'Policies: who may send where');
  const config = join(here.sandbox.folder, 'controller.yaml');
  await writeFile(config, policies?.text ?? '');
  await here.startController(['--leader-elect=false', `--config=${config}`]);

  await annotated('ConfigMap', 'team-a', 'omni', 'dev,prod-a,prod-b');
  await annotated('ConfigMap', 'team-b', 'settings', 'prod-b');
  await annotated('Secret', 'team-b', 'keys', 'dev,prod-b');
  await annotated('Secret', 'platform', 'certificate', 'dev,prod-a,prod-b');

  await appears(dev, 'configmaps', 'team-a', 'omni');
  await appears(prodA, 'configmaps', 'team-a', 'omni');
  await appears(prodB, 'configmaps', 'team-b', 'settings');
  await appears(dev, 'secrets', 'team-b', 'keys');
  for (const target of [dev, prodA, prodB]) {
    await appears(target, 'secrets', 'platform', 'certificate');
  }
  await eventAbout(source, 'team-a', 'omni', 'InvalidSyncContexts', ({ message }) => {
    expect(`ConfigMap team-a/omni: ${message}\n`).toBe(refusal?.text);
  });
  await eventAbout(source, 'team-b', 'keys', 'InvalidSyncContexts', ({ message }) => {
    expect(message).toContain('do not allow context "prod-b" for Secrets of namespace "team-b"');
    expect(message).toContain('Allowed contexts are: "dev".');
  });
  expect(await find(prodB, 'configmaps', 'team-a', 'omni')).toBeUndefined();
  expect(await find(prodB, 'secrets', 'team-b', 'keys')).toBeUndefined();
});

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { LocalBase, setContextsSecret } from '../harness/local-base.ts';
import { ownNamespace } from '../harness/manifests.ts';
import type { Program } from '../harness/program.ts';
import { appears, syncContexts, useStage } from '../harness/stage.ts';
import { freePort } from '../sandbox/network/free-port.ts';
import { startContainer } from './container.ts';
import { Image } from './image.ts';

const stage = useStage({ targets: 1 });
let image: Image;
let controller: Program;
let webhook: Program;

beforeAll(async () => {
  const here = stage();
  const { source, sandbox } = here;
  const target = here.target(1);
  image = await Image.build(process.env);
  await here.createNamespace('demo', [source, target]);
  const base = await LocalBase.prepare({ sandbox, folder: sandbox.folder, webhookPort: await freePort() });
  await source.kubectl(['apply', '-k', base.overlay]);
  const kubeconfig = sandbox.contextsKubeconfig([{ name: 'context-1', cluster: target }]);
  await setContextsSecret(source, kubeconfig);

  const settings = join(sandbox.folder, 'controller.yaml');
  controller = await start('controller', await base.controllerArguments(), settings);
  webhook = await start('webhook', await base.webhookArguments());
  await Promise.all([controller, webhook].map(isReady));
});

afterAll(async () => {
  await Promise.all([controller, webhook].map(async (program) => await program?.kill()));
  await image?.remove();
});

async function isReady(program: Program): Promise<void> {
  try {
    await program.ready();
  } catch (error) {
    throw new Error(`not ready: ${program.output.slice(-4000)}`, { cause: error });
  }
}

/** The arguments are those of a pod: without a kubeconfig, and with the settings where the Deployment mounts them. */
async function start(name: string, args: readonly string[], settings?: string): Promise<Program> {
  const { source, sandbox } = stage();
  const folder = join(sandbox.folder, `container-${name}`);
  await mkdir(folder);
  const mountPath = '/etc/context-syncer';
  return await startContainer({
    image,
    folder,
    args: args
      .filter((arg) => !arg.startsWith('--kubeconfig='))
      .map((arg) => (arg === `--config=${settings}` ? `--config=${mountPath}/controller.yaml` : arg)),
    server: { url: source.url, caPem: source.caPem },
    token: await source.serviceAccountToken(ownNamespace, `context-syncer-${name}`),
    namespace: ownNamespace,
    ...(settings === undefined
      ? {}
      : { config: { mountPath, files: { 'controller.yaml': await readFile(settings, 'utf8') } } }),
  });
}

test('both programs run as user 65532 on a root that they cannot write to', async () => {
  expect(image.user).toBe('65532:65532');
  for (const { pid } of [controller, webhook]) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m);
    expect(status).toMatch(/^Gid:\t65532\t65532\t65532\t65532$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    const [root = ''] = (await readFile(`/proc/${pid}/mountinfo`, 'utf8'))
      .split('\n')
      .filter((line) => line.split(' ')[4] === '/');
    expect(root.split(' ')[5]).toMatch(/^ro\b/);
  }
});

test('they refuse a mistake, and copy what is right', async () => {
  const { source } = stage();
  const target = stage().target(1);
  const create = async (name: string, contexts: string) =>
    await source.request<{ message?: string }>(
      'POST',
      '/api/v1/namespaces/demo/configmaps',
      { metadata: { name, annotations: { [syncContexts]: contexts } }, data: { key: 'value' } },
      { allowFailure: true },
    );
  await eventually('an unknown context is refused', async () => {
    const { status, body } = await create('mistaken', 'no-such-context');
    expect(status).toBe(422);
    expect(body.message).toContain('no-such-context');
  });
  expect((await create('right', 'context-1')).status).toBe(201);
  await appears(target, 'configmaps', 'demo', 'right', ({ data }) => {
    expect(data).toEqual({ key: 'value' });
  });
});

test('the image is as small as the Dockerfile promises', async () => {
  const sizes = {
    libraries: await image.size('app/node_modules'),
    program: await image.size('app/dist'),
  };
  console.info('MiB of the image', sizes);
  for (const [name, { pid }] of Object.entries({ controller, webhook })) {
    const [, rss] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
    console.info(`MiB of memory of the ${name}`, Math.round(Number(rss) / 1024));
  }
  expect(sizes.libraries).toBeLessThanOrEqual(40);
  expect(sizes.program).toBeLessThanOrEqual(3);
});

test('SIGTERM ends them in good order', async () => {
  for (const program of [controller, webhook]) {
    expect(await program.stop()).toEqual({ code: 0, signal: null });
  }
});

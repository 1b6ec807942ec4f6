import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { create, setData } from '../harness/kubectl.ts';
import type { Program } from '../harness/program.ts';
import { appears, eventAbout, type Stage, syncContexts, useStage } from '../harness/stage.ts';
import type { ContextSpec } from '../sandbox/sandbox.ts';

const stage = useStage({ targets: 2 });
const secrets = '/api/v1/namespaces/context-syncer/secrets';

beforeAll(async () => {
  await stage().createNamespace('demo');
  await stage().createNamespace('context-syncer', [stage().source]);
});

beforeEach(async () => {
  await stage().source.request('DELETE', `${secrets}/contexts`, undefined, { allowFailure: true });
});

function launch(here: Stage, reference = 'context-syncer/contexts'): Program {
  return here.launch([
    'controller',
    '--cluster-name=hub',
    `--kubeconfig=${here.source.kubeconfigFile}`,
    `--contexts-secret=${reference}`,
    '--leader-elect=false',
    '--health-address=127.0.0.1:0',
    '--metrics-address=127.0.0.1:0',
    '--log-level=debug',
  ]);
}

function secretWith(here: Stage, contexts: readonly ContextSpec[], key = 'kubeconfig'): object {
  return {
    metadata: { name: 'contexts' },
    data: { [key]: Buffer.from(here.sandbox.contextsKubeconfig(contexts)).toString('base64') },
  };
}

async function createSecret(here: Stage, contexts: readonly ContextSpec[]): Promise<void> {
  await here.source.request('POST', secrets, secretWith(here, contexts));
}

async function replaceSecret(here: Stage, secret: object): Promise<void> {
  await here.source.request('PUT', `${secrets}/contexts`, secret);
}

async function annotated(here: Stage, name: string, list: string): Promise<void> {
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: { name, namespace: 'demo', annotations: { [syncContexts]: list } },
    data: { round: '0' },
  });
}

/** The controller says this of the Secret, and goes on with the contexts it has. */
async function complains(controller: Program, problem: string): Promise<void> {
  await eventually(`the log says: ${problem}`, () => {
    const lines = controller.log.filter(
      ({ msg }) =>
        msg === 'kubeconfig with the target contexts is not usable, the last good one stays in use',
    );
    expect(lines.map((line) => JSON.stringify(line)).join('\n')).toContain(problem);
  });
}

async function readiness(controller: Program): Promise<readonly [status: number, body: string]> {
  const answer = await fetch(`${await controller.endpoint('health')}/readyz`);
  return [answer.status, await answer.text()];
}

test('a Secret that is not there yet, or has not the key, is reported; propagation starts when it is complete', async () => {
  const here = stage();
  const contexts = [{ name: 'first', cluster: here.target(1) }];
  await annotated(here, 'early', 'first');
  const controller = launch(here, 'context-syncer/contexts:config.yaml');
  await complains(controller, 'Secret context-syncer/contexts does not exist');
  const [status, body] = await readiness(controller);
  expect(status).toBe(500);
  expect(body).toContain('[-]kubeconfig failed: no usable kubeconfig with target contexts yet\n');

  await createSecret(here, contexts);
  await complains(controller, 'Secret context-syncer/contexts has no key \\"config.yaml\\"');
  await replaceSecret(here, secretWith(here, contexts, 'config.yaml'));
  await appears(here.target(1), 'configmaps', 'demo', 'early');
  await controller.ready();
});

test('a changed Secret is in effect at once; one that is bad or deleted leaves the last good one in use', async () => {
  const here = stage();
  const [first, second] = [here.target(1), here.target(2)];
  await createSecret(here, [{ name: 'first', cluster: first }]);
  const controller = launch(here);
  await controller.ready();
  await annotated(here, 'steady', 'first');
  const copy = await appears(first, 'configmaps', 'demo', 'steady');

  await replaceSecret(
    here,
    secretWith(here, [
      { name: 'first', cluster: first },
      { name: 'second', cluster: second },
    ]),
  );
  await annotated(here, 'new', 'second');
  await appears(second, 'configmaps', 'demo', 'new');

  const goesOn = async (round: string): Promise<void> => {
    await setData(here.source, 'demo', 'configmap/steady', { round });
    await appears(first, 'configmaps', 'demo', 'steady', ({ data, metadata }) => {
      expect(data).toEqual({ round });
      expect(metadata.uid).toBe(copy.metadata.uid);
    });
    await setData(here.source, 'demo', 'configmap/new', { round });
    await appears(second, 'configmaps', 'demo', 'new', ({ data }) => {
      expect(data).toEqual({ round });
    });
  };
  await replaceSecret(here, {
    metadata: { name: 'contexts' },
    data: { kubeconfig: Buffer.from('contexts: []').toString('base64') },
  });
  await complains(controller, 'it has no contexts');
  await goesOn('with an empty list');
  await here.source.request('DELETE', `${secrets}/contexts`);
  await complains(controller, 'Secret context-syncer/contexts was deleted');
  await goesOn('with no Secret');
  expect(await readiness(controller)).toEqual([200, 'ok']);
  expect(controller.output).not.toContain(first.adminToken);

  await createSecret(here, [{ name: 'third', cluster: second }]);
  await annotated(here, 'newest', 'third');
  await appears(second, 'configmaps', 'demo', 'newest');
});

test('a kubeconfig in a Secret cannot name files of the controller; its other contexts go on', async () => {
  const here = stage();
  const [first, second] = [here.target(1), here.target(2)];
  // Its content would do, if it were read.
  const token = join(here.sandbox.folder, 'token-of-the-second');
  await writeFile(token, second.adminToken);
  await createSecret(here, [
    { name: 'first', cluster: first },
    { name: 'filed', cluster: second, user: { tokenFile: token } },
  ]);
  const controller = launch(here);
  await controller.ready();
  await annotated(here, 'beside', 'first,filed');
  await appears(first, 'configmaps', 'demo', 'beside');

  const problem =
    'the user "filed": tokenFile names a file, which a kubeconfig that is no file itself cannot: embed the content';
  const event = await eventAbout(here.source, 'demo', 'beside', 'ContextUnavailable');
  expect(event.message).toBe(`Context "filed" cannot be used: ${problem}.`);
  expect(controller.log).toContainEqual(
    expect.objectContaining({ msg: 'context cannot be used', context: 'filed', problem }),
  );

  await replaceSecret(
    here,
    secretWith(here, [
      { name: 'first', cluster: first },
      { name: 'filed', cluster: second },
    ]),
  );
  await appears(second, 'configmaps', 'demo', 'beside');
});

import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { eventually } from '../harness/eventually.ts';
import { annotate, create, setData } from '../harness/kubectl.ts';
import type { Program } from '../harness/program.ts';
import { appears, eventAbout, syncContexts, useStage } from '../harness/stage.ts';

const stage = useStage({ targets: 2 });

beforeAll(async () => {
  await stage().createNamespace('demo');
});

/** Runs the program to its end with these flags; yields what it wrote besides log lines. */
async function refusalOf(flags: readonly string[]): Promise<string> {
  const program = stage().launch(['controller', ...flags]);
  const exit = await program.exited;
  expect(exit).toEqual({ code: 2, signal: null });
  return program.output
    .split('\n')
    .filter((line) => !line.startsWith('{'))
    .join('\n');
}

function refusal(...problems: readonly string[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return [
    `context-syncer controller cannot start: ${count}`,
    ...problems.map((problem) => `  - ${problem}`),
    'See context-syncer controller --help.',
    '',
  ].join('\n');
}

async function file(name: string, content: string): Promise<string> {
  const path = join(stage().sandbox.folder, name);
  await writeFile(path, content);
  return path;
}

const labelValue =
  "a label value: 1 to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit";

describe('the controller does not start, ends with status 2 and reports every problem', () => {
  test('with several bad flags and one that does not exist', async () => {
    const flags = [
      '--clustername=hub',
      '--cluster-name=my hub',
      '--contexts-secret=contexts',
      '--leader-elect=perhaps',
      '--metrics-address=nowhere',
      '--log-level=loud',
      '--kubeconfig',
    ];
    expect(await refusalOf(flags)).toBe(
      refusal(
        '--clustername is not a flag of context-syncer controller: did you mean --cluster-name?',
        `--cluster-name is "my hub", but must be ${labelValue}.`,
        '--contexts-secret is "contexts", but must be NAMESPACE/NAME or NAMESPACE/NAME:KEY of a Secret (KEY is kubeconfig when absent).',
        '--leader-elect is "perhaps", but must be true or false.',
        '--kubeconfig has no value, but must be the path of a file.',
        '--metrics-address is "nowhere", but must be HOST:PORT or :PORT with a port up to 65535 (an IPv6 address in brackets), or 0 to switch it off.',
        '--log-level is "loud", but must be debug, info, warn or error.',
      ),
    );
  });

  test.each([
    ['that do not exist', undefined, 'cannot be read (ENOENT); name a kubeconfig file'],
    ['that are not YAML', 'contexts: [', 'not YAML at line 1 (bad indent)'],
    [
      'that are something else',
      'hello',
      'it is no kubeconfig: a kubeconfig is a YAML mapping with contexts, clusters and users',
    ],
    [
      'without contexts',
      stringify({ apiVersion: 'v1', kind: 'Config', contexts: [] }),
      'it has no contexts: add at least one, with its cluster and its user',
    ],
  ])('with kubeconfigs %s', async (_what, content, problem) => {
    const folder = stage().sandbox.folder;
    const [source, contexts] = [join(folder, 'bad-source.yaml'), join(folder, 'bad-contexts.yaml')];
    await Promise.all(
      [source, contexts].map((path) =>
        content === undefined ? rm(path, { force: true }) : writeFile(path, content),
      ),
    );
    const flags = ['--cluster-name=hub', `--kubeconfig=${source}`, `--contexts-kubeconfig=${contexts}`];
    const colon = content === undefined ? '' : ':';
    expect(await refusalOf(flags)).toBe(
      refusal(
        `--kubeconfig: the file "${source}"${colon} ${problem}.`,
        `--contexts-kubeconfig: the file "${contexts}"${colon} ${problem}.`,
      ),
    );
  });

  test('with a source kubeconfig whose current context has no user', async () => {
    const { source } = stage();
    const { users: _, ...rest } = document(
      stage().sandbox.contextsKubeconfig([{ name: 'hub', cluster: source }]),
    );
    const path = await file('without-users.yaml', stringify(rest));
    await stage().setContexts([{ name: 'context-1', cluster: stage().target(1) }]);
    const flags = ['--cluster-name=hub', `--kubeconfig=${path}`];
    expect(await refusalOf([...flags, `--contexts-kubeconfig=${stage().contextsFile}`])).toBe(
      refusal(
        `--kubeconfig: the file "${path}": the user "hub" does not exist: add it or correct the context.`,
      ),
    );
  });
});

interface KubeconfigDocument {
  readonly clusters: readonly { readonly name: string }[];
  readonly users: readonly { readonly name: string }[];
  readonly contexts: readonly { readonly name: string }[];
}

/** A kubeconfig of ours as an object. */
function document(kubeconfig: string): KubeconfigDocument {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the sandbox wrote it
  return parse(kubeconfig) as KubeconfigDocument;
}

test('a contexts file that turns bad changes nothing, and one that is good again is taken over', async () => {
  const here = stage();
  const [first, second] = [here.target(1), here.target(2)];
  await here.setContexts([{ name: 'context-1', cluster: first }]);
  const good = here.sandbox.contextsKubeconfig([
    { name: 'context-1', cluster: first },
    { name: 'context-2', cluster: second },
  ]);
  const { clusters, contexts } = document(good);
  const controller = await here.startController();
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: { name: 'steady', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
    data: { round: '0' },
  });
  const copy = await appears(first, 'configmaps', 'demo', 'steady');

  const damages: readonly (readonly [text: string | undefined, problem: string])[] = [
    ['', 'it is no kubeconfig'],
    [good.slice(0, good.indexOf('users:')), 'it has no contexts'],
    // The order in which kubectl writes: a file that ends here has contexts, but no users yet.
    [stringify({ apiVersion: 'v1', clusters, contexts, kind: 'Config' }), 'none of its contexts can be used'],
    ['{"garbage', 'not YAML'],
    [undefined, 'cannot be read'],
  ];
  for (const [round, [text, problem]] of damages.entries()) {
    await (text === undefined ? rm(here.contextsFile) : writeFile(here.contextsFile, text));
    await eventually(`the log says: ${problem}`, () => {
      expect(complaintsOf(controller)).toContain(problem);
    });
    const data = { round: String(round + 1) };
    await setData(here.source, 'demo', 'configmap/steady', data);
    await appears(first, 'configmaps', 'demo', 'steady', (now) => {
      expect(now).toMatchObject({ data, metadata: { uid: copy.metadata.uid } });
    });
  }
  expect(controller.output).not.toContain('garbage');
  expect(controller.output).not.toContain(first.adminToken);

  await writeFile(here.contextsFile, good);
  await annotate(here.source, 'demo', 'configmap/steady', 'context-1,context-2');
  await appears(second, 'configmaps', 'demo', 'steady');
  await appears(first, 'configmaps', 'demo', 'steady', (now) => {
    expect(now.metadata.uid).toBe(copy.metadata.uid);
  });
});

function complaintsOf({ log }: Program): string {
  return log
    .filter(
      ({ msg }) =>
        msg === 'kubeconfig with the target contexts is not usable, the last good one stays in use',
    )
    .map((line) => JSON.stringify(line))
    .join('\n');
}

test('a context that cannot be used is named, the others go on, and it is used once it is corrected', async () => {
  const here = stage();
  const [first, second] = [here.target(1), here.target(2)];
  const witness = join(here.sandbox.folder, 'exec-plugin-ran');
  const names = ['no-user', 'no-cluster', 'exec', 'wrong-ca', 'refused'] as const;
  const mended = names.map((name) => ({ name, cluster: second }));
  const good = { name: 'good', cluster: first };
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'touch', args: [witness] };
  const broken = document(
    here.sandbox.contextsKubeconfig([
      good,
      { name: 'no-user', cluster: second },
      { name: 'no-cluster', cluster: second },
      { name: 'exec', cluster: second, userFields: { token: undefined, exec } },
      {
        name: 'wrong-ca',
        cluster: second,
        clusterFields: { 'certificate-authority-data': Buffer.from(first.caPem).toString('base64') },
      },
      { name: 'refused', cluster: second, user: { token: 'not-a-token-of-this-cluster' } },
    ]),
  );
  await writeFile(
    here.contextsFile,
    stringify({
      ...broken,
      users: broken.users.filter(({ name }) => name !== 'no-user'),
      clusters: broken.clusters.filter(({ name }) => name !== 'no-cluster'),
    }),
  );
  await Promise.all(
    names.map((name) =>
      create(here.source, {
        kind: 'ConfigMap',
        metadata: { name, namespace: 'demo', annotations: { [syncContexts]: `good,${name}` } },
      }),
    ),
  );
  const controller = await here.startController();

  const problems: Readonly<Record<(typeof names)[number], string>> = {
    'no-user': 'the user "no-user" does not exist: add it or correct the context',
    'no-cluster': 'the cluster "no-cluster" does not exist: add it or correct the context',
    exec: 'the user "exec": it uses the exec plugin "touch", which would run a command here and is not allowed: allow it with --allow-exec NAME=/PATH of the controller, or use a token, a token file or a client certificate',
    'wrong-ca':
      "its API server's certificate is not trusted; check certificate-authority-data and tls-server-name in the kubeconfig",
    refused: 'its API server refuses the credentials (401 Unauthorized); renew them in the kubeconfig',
  };
  for (const name of names) {
    await appears(first, 'configmaps', 'demo', name);
    await eventAbout(here.source, 'demo', name, 'ContextUnavailable', (event) => {
      expect(event).toMatchObject({
        type: 'Warning',
        message: `Context "${name}" cannot be used: ${problems[name]}.`,
      });
    });
  }
  for (const name of names.slice(0, 3)) {
    expect(controller.log).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: 'context cannot be used', context: name }),
    );
  }
  for (const name of names.slice(3)) {
    expect(controller.log).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: 'target cluster cannot be reached', context: name }),
    );
  }
  expect(controller.running).toBe(true);
  expect(existsSync(witness)).toBe(false);

  await here.setContexts([good, ...mended]);
  for (const name of names) {
    await appears(second, 'configmaps', 'demo', name);
    await eventAbout(here.source, 'demo', name, 'Recovered');
  }
});

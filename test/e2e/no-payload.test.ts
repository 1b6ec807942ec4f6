import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { deny } from '../harness/admission-policy.ts';
import { eventually } from '../harness/eventually.ts';
import { apply, create, type Manifest, recreate, setData } from '../harness/kubectl.ts';
import { metric, scrape } from '../harness/metrics.ts';
import { type MarkerWay, processed } from '../harness/processed.ts';
import type { Program } from '../harness/program.ts';
import { appears, eventAbout, type Stage, syncContexts, useStage } from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';

const stage = useStage({ targets: 2 });
const marker: MarkerWay = { context: 'context-1', target: 1, namespace: 'demo' };
const lists = {
  first: 'context-1',
  both: 'context-1,context-2',
  unusable: 'context-1,token,url,proxy,certificate,authority,command',
};

/** Values that nobody may ever read anywhere but where their owners put them. */
const canaries = {
  configMap: canary(),
  binary: canary(),
  secret: canary(),
  foreign: canary(),
  mutated: canary(),
  kubeconfigToken: canary(),
  kubeconfigUrl: canary(),
  kubeconfigProxy: canary(),
  kubeconfigCertificate: canary(),
  kubeconfigAuthority: canary(),
  kubeconfigCommand: canary(),
  kubeconfigBroken: canary(),
};

beforeAll(async () => {
  const here = stage();
  await here.createNamespace('demo');
  await here.createNamespace('only-first', [here.source, here.target(1)]);
  await here.createNamespace('context-syncer', [here.source]);
});

test('no value of a ConfigMap, a Secret or a kubeconfig shows in a log, an Event, a metric or an object of ours', async () => {
  const here = stage();
  const [{ source }, first] = [here, here.target(1)];
  await makeTargetsTalk(first);
  await setKubeconfig(source, kubeconfigWithMistakes(here));
  const controller = here.launch([
    'controller',
    '--cluster-name=hub',
    `--kubeconfig=${source.kubeconfigFile}`,
    '--contexts-secret=context-syncer/contexts',
    '--health-address=127.0.0.1:0',
    '--metrics-address=127.0.0.1:0',
    '--log-level=debug',
  ]);
  await controller.ready();

  // Everything that goes well.
  await apply(source, configMap('fine', lists.both));
  await apply(source, secret('fine', lists.both));
  const copies = [
    await appears(first, 'configmaps', 'demo', 'fine'),
    await appears(here.target(2), 'configmaps', 'demo', 'fine'),
    await appears(first, 'secrets', 'demo', 'fine'),
    await appears(here.target(2), 'secrets', 'demo', 'fine'),
  ];
  await setData(first, 'demo', 'configmap/fine', { value: canaries.foreign });
  await appears(first, 'configmaps', 'demo', 'fine', ({ data }) => {
    expect(data).toMatchObject({ value: canaries.configMap });
  });

  // Everything that goes wrong.
  await create(first, { ...configMap('foreign'), data: { value: canaries.foreign } });
  await apply(source, configMap('foreign', lists.first));
  await apply(source, configMap('refused', lists.first));
  await apply(source, secret('refused', lists.first));
  await apply(source, configMap('mutated', lists.first));
  await apply(source, configMap('homeless', lists.both, 'only-first'));
  await apply(source, configMap('unusable', lists.unusable));
  await apply(source, configMap('bad-list', 'nowhere,,context-1'));
  await apply(source, { ...secret('retyped', lists.first), type: 'example.org/allowed' });
  await appears(first, 'secrets', 'demo', 'retyped');
  await recreate(source, { ...secret('retyped', lists.first), type: 'example.org/forbidden' });
  await apply(source, { ...secret('special', lists.first), type: 'helm.sh/release.v1' });
  for (const [namespace, name, reason] of [
    ['demo', 'foreign', 'Unowned'],
    ['demo', 'refused', 'TargetRefused'],
    ['demo', 'mutated', 'Contested'],
    ['only-first', 'homeless', 'NamespaceNotFound'],
    ['demo', 'unusable', 'ContextUnavailable'],
    ['demo', 'bad-list', 'InvalidSyncContexts'],
    ['demo', 'retyped', 'TargetRefused'],
    ['demo', 'special', 'SpecialSecret'],
  ] as const) {
    await eventAbout(source, namespace, name, reason);
  }
  await setKubeconfig(source, `users:\n- name: one\n  user: {token: ${canaries.kubeconfigBroken}\n\t- }`);
  await eventually('the broken kubeconfig is refused', async () => {
    expect(await metric(controller, 'context_syncer_kubeconfig_reloads_total', { result: 'refused' })).toBe(
      1,
    );
  });
  await processed(here, controller, marker);

  const told = new Map([
    ['metrics', await scrape(controller)],
    ['health', await health(controller)],
    ['Events of the source', await everything(source, '/api/v1/events')],
    ['Events of the first target', await everything(first, '/api/v1/events')],
    ['Events of the second target', await everything(here.target(2), '/api/v1/events')],
    ['Leases', await everything(source, '/apis/coordination.k8s.io/v1/leases')],
    ['our ConfigMaps', await everything(source, '/api/v1/namespaces/context-syncer/configmaps')],
    [
      'our Secrets',
      await everything(
        source,
        '/api/v1/namespaces/context-syncer/secrets?fieldSelector=metadata.name!=contexts',
      ),
    ],
    ['metadata of copies', JSON.stringify(copies.map(({ metadata }) => metadata))],
  ]);
  expect(await controller.stop()).toEqual({ code: 0, signal: null });
  told.set('log', controller.output);

  expect(leaksIn(told)).toEqual([]);
  // The search finds what it looks for, and the places hold what they should.
  const payload = new Map([['source', await everything(source, '/api/v1/secrets')]]);
  expect(leaksIn(payload)).toContain('secret in source');
  expect(told.get('log')).toContain('"copy written"');
  expect(told.get('metrics')).toContain('context_syncer_problems');
  expect(told.get('Leases')).toContain('context-syncer-controller');
  expect(told.get('our Secrets')).toContain('context-syncer-stamp-key');
});

const brokenKubeconfigs: readonly (readonly [what: string, text: (value: string) => string])[] = [
  ['YAML that ends too early', (value) => `users: [{name: one, user: {token: "${value}`],
  ['YAML indented by a tab', (value) => `users:\n\t- token: ${value}\n`],
  ['YAML with a key twice', (value) => `token: ${value}\ntoken: ${value}\n`],
  ['YAML with an unknown alias', (value) => `users: *${value}\n`],
  ['YAML with an unknown tag', (value) => `users: !${value} one\n`],
  ['nothing but a value', (value) => value],
  [
    'made of values of the wrong kinds',
    (value) => `clusters: ${value}\nusers: {token: ${value}}\ncontexts: [${value}]\n`,
  ],
  ['JSON that is cut off', (value) => `{"users":[{"name":"one","user":{"password":"${value}"`],
];

test.each(brokenKubeconfigs)(
  'a kubeconfig that is %s is refused, and the message repeats nothing of it',
  async (_what, text) => {
    const here = stage();
    const broken = join(here.sandbox.folder, 'broken.yaml');
    await writeFile(broken, text(canaries.kubeconfigBroken));
    const good = here.source.kubeconfigFile;
    const programs = [
      [`--kubeconfig=${good}`, `--contexts-kubeconfig=${broken}`],
      [`--kubeconfig=${broken}`, `--contexts-kubeconfig=${good}`],
    ].map((files) => here.launch(['controller', '--cluster-name=hub', ...files]));
    for (const program of programs) {
      const { code } = await program.exited;
      expect(code).toBe(2);
      expect(program.output).toContain(broken);
      expect(leaksIn(new Map([['output', program.output]]))).toEqual([]);
    }
  },
);

function canary(): string {
  return `canary${randomBytes(24).toString('hex')}`;
}

/** A value as it may show up: itself, and base64 of whatever it is in the middle of, at each of the three alignments. */
function disguisesOf(value: string): readonly string[] {
  const aligned = [0, 1, 2].map((shift) =>
    Buffer.from(`${'.'.repeat(shift)}${value}`)
      .toString('base64')
      .slice(4, -4),
  );
  return [value, ...aligned];
}

function leaksIn(places: ReadonlyMap<string, string>): readonly string[] {
  return [...places].flatMap(([place, text]) =>
    Object.entries(canaries)
      .filter(([, value]) => disguisesOf(value).some((disguise) => text.includes(disguise)))
      .map(([name]) => `${name} in ${place}`),
  );
}

function configMap(name: string, list?: string, namespace = 'demo'): Manifest {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace, ...(list === undefined ? {} : { annotations: { [syncContexts]: list } }) },
    data: { value: canaries.configMap },
    binaryData: { bytes: Buffer.from(canaries.binary).toString('base64') },
  };
}

function secret(name: string, list: string): Manifest {
  return {
    kind: 'Secret',
    metadata: { name, namespace: 'demo', annotations: { [syncContexts]: list } },
    stringData: { value: canaries.secret },
  };
}

/** Policies whose refusals repeat what they refuse, as admission webhooks of the world do, and one that rewrites. */
async function makeTargetsTalk(target: ControlPlane): Promise<void> {
  await deny(target, {
    name: 'talkative-about-configmaps',
    resources: ['configmaps'],
    operations: ['CREATE', 'UPDATE'],
    expression: 'object.metadata.name != "refused"',
    messageExpression: '"refused: " + object.data["value"]',
    refused: { kind: 'ConfigMap', data: { value: 'x' } },
  });
  await deny(target, {
    name: 'talkative-about-secrets',
    resources: ['secrets'],
    operations: ['CREATE', 'UPDATE'],
    expression: 'object.metadata.name != "refused" && object.type != "example.org/forbidden"',
    // As base64: so the API server turns bytes into text.
    messageExpression: '"refused: " + string(object.data["value"])',
    refused: { kind: 'Secret', data: { value: 'eA==' } },
  });
  for (const kind of ['ConfigMap', 'Secret'] as const) {
    const manifest = kind === 'ConfigMap' ? configMap('refused') : { ...secret('refused', ''), kind };
    const { stderr } = await target.kubectl(['create', '-f', '-'], {
      stdin: JSON.stringify({ apiVersion: 'v1', ...manifest }),
      allowFailure: true,
    });
    const told = leaksIn(new Map([['refusal', stderr]]));
    expect(told).toEqual([kind === 'ConfigMap' ? 'configMap in refusal' : 'secret in refusal']);
  }
  await rewrite(target, 'mutated', canaries.mutated);
}

/** From now on every ConfigMap of this name gets another value on its way in. */
async function rewrite(target: ControlPlane, name: string, value: string): Promise<void> {
  const group = '/apis/admissionregistration.k8s.io/v1';
  await target.request('POST', `${group}/mutatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [''],
            apiVersions: ['v1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['configmaps'],
          },
        ],
      },
      matchConditions: [{ name: 'name', expression: `object.metadata.name == "${name}"` }],
      mutations: [
        {
          patchType: 'JSONPatch',
          jsonPatch: { expression: `[JSONPatch{op: "add", path: "/data/value", value: "${value}"}]` },
        },
      ],
    },
  });
  await target.request('POST', `${group}/mutatingadmissionpolicybindings`, {
    metadata: { name },
    spec: { policyName: name },
  });
  await eventually('the rewriting policy is in effect', async () => {
    const { body } = await target.request<{ data: Record<string, string> }>(
      'POST',
      '/api/v1/namespaces/default/configmaps?dryRun=All',
      { metadata: { name }, data: { value: 'x' } },
    );
    expect(body.data).toEqual({ value });
  });
}

/** Two contexts that work, and one for each kind of secret that a kubeconfig can hold, all unusable. */
function kubeconfigWithMistakes(here: Stage): string {
  const [first, second] = [here.target(1), here.target(2)];
  return here.sandbox.contextsKubeconfig([
    { name: 'context-1', cluster: first },
    { name: 'context-2', cluster: second },
    { name: 'token', cluster: second, user: { token: canaries.kubeconfigToken } },
    { name: 'url', cluster: second, server: `https://omni:${canaries.kubeconfigUrl}@127.0.0.1:1` },
    {
      name: 'proxy',
      cluster: second,
      server: 'https://127.0.0.1:1',
      clusterFields: { 'proxy-url': `http://omni:${canaries.kubeconfigProxy}@127.0.0.1:1` },
    },
    {
      name: 'certificate',
      cluster: second,
      user: { certPem: canaries.kubeconfigCertificate, keyPem: canaries.kubeconfigCertificate },
    },
    {
      name: 'authority',
      cluster: { url: second.url, adminToken: second.adminToken, caPem: canaries.kubeconfigAuthority },
    },
    {
      name: 'command',
      cluster: second,
      userFields: {
        token: undefined,
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: 'sh',
          args: [canaries.kubeconfigCommand],
          env: [{ name: 'PASSWORD', value: canaries.kubeconfigCommand }],
        },
      },
    },
  ]);
}

/** Puts the kubeconfig into its Secret, anew or over the old one. */
async function setKubeconfig(source: ControlPlane, text: string): Promise<void> {
  await apply(source, {
    kind: 'Secret',
    metadata: { name: 'contexts', namespace: 'context-syncer' },
    data: { kubeconfig: Buffer.from(text).toString('base64') },
  });
}

async function everything(place: ControlPlane, path: string): Promise<string> {
  const { body } = await place.request('GET', path);
  return JSON.stringify(body);
}

async function health(program: Program): Promise<string> {
  const base = await program.endpoint('health');
  const answers = await Promise.all(
    ['livez?verbose', 'readyz?verbose'].map(async (path) => await (await fetch(`${base}/${path}`)).text()),
  );
  return answers.join('\n');
}

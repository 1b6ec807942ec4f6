import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { array, constantFrom, oneof, record, sample, string } from 'fast-check';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { resolve } from '../../controller/claims/resolve.ts';
import { catalogConfigMapName, catalogKey, parseCatalog } from '../../shared/catalog/document.ts';
import { keysOf } from '../../shared/keys.ts';
import { judge } from '../../shared/rules/judge.ts';
import { parseContextList } from '../../shared/sync-contexts.ts';
import { eventually } from '../harness/eventually.ts';
import { ownNamespace } from '../harness/manifests.ts';
import { Pair } from '../harness/pair.ts';
import {
  appears,
  disappears,
  eventAbout,
  find,
  type StoredObject,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import type { KubectlResult } from '../sandbox/control-plane/kubectl.ts';
import { freePort } from '../sandbox/network/free-port.ts';
import type { ContextSpec } from '../sandbox/sandbox.ts';

const stage = useStage({ targets: 2 });
let contexts: readonly ContextSpec[] = [];
let pair: Pair | undefined;

const keys = keysOf('kubed.appscode.com');
const denied = 'admission webhook "sync-contexts.context-syncer.dev" denied the request:';
const known = 'known contexts are: "alias-of-1", "context-1", "context-2", "down", "into-system"';
const unknown = `Context "contxt-2" is unknown (did you mean "context-2"?); ${known}.`;
const homeTwice =
  'Context "home" is the cluster that this object lives in, which is never a target; remove it from the list.';

beforeAll(async () => {
  const here = stage();
  const [source, one, two] = [here.source, here.target(1), here.target(2)];
  const elsewhere = (port: number): string => `https://localhost:${port}`;
  contexts = [
    { name: 'context-1', cluster: one },
    { name: 'alias-of-1', cluster: one, server: elsewhere(one.port) },
    { name: 'context-2', cluster: two, namespace: 'demo-cluster-2' },
    { name: 'into-system', cluster: two, namespace: 'kube-public' },
    { name: 'home', cluster: source, server: elsewhere(source.port) },
    { name: 'down', cluster: two, server: elsewhere(await freePort()) },
  ];
  await here.createNamespace('demo');
  await here.createNamespace('demo-cluster-2', [two]);
  pair = await Pair.start(here, contexts);
  await inUse();
});

afterAll(async () => {
  await pair?.end();
});

test('of a folder the good objects are applied and copied, and each bad one is named with its problems', async () => {
  const here = stage();
  const folder = join(here.sandbox.folder, 'manifests');
  await mkdir(folder);
  const bad: Readonly<Record<string, readonly [Parameters<typeof yaml>[1], string]>> = {
    alias: [{ list: 'context-1,alias-of-1' }, `ConfigMap demo/alias: ${sameCluster()}`],
    copy: [
      { list: 'context-1', annotations: { [keys.origin]: '{}' } },
      `ConfigMap demo/copy: The object carries ${keys.origin}, so it is itself a copy and cannot be a source; annotate the original, or remove ${keys.origin}.`,
    ],
    empty: [
      { list: ' , ' },
      `ConfigMap demo/empty: The annotation ${syncContexts} names no context; name at least one, or remove the annotation to remove the copies.`,
    ],
    gap: [
      { list: 'context-1,,context-2' },
      `ConfigMap demo/gap: The annotation ${syncContexts} has an empty entry between its commas; remove it.`,
    ],
    helm: [
      { list: 'context-1', kind: 'Secret', type: 'helm.sh/release.v1' },
      'Secret demo/helm: A Secret of type helm.sh/release.v1 is a Helm release of this cluster and is never copied; remove the annotation.',
    ],
    home: [{ list: 'home' }, `ConfigMap demo/home: ${homeTwice}`],
    many: [
      { list: 'contxt-2,home,context-1,alias-of-1', kind: 'Secret' },
      `Secret demo/many has 3 problems:\n- ${unknown}\n- ${homeTwice}\n- ${sameCluster()}`,
    ],
    nowhere: [{ list: 'contxt-2' }, `ConfigMap demo/nowhere: ${unknown}`],
    'out-of-system': [
      { list: 'context-1', namespace: 'kube-public' },
      'ConfigMap kube-public/out-of-system: Objects of namespace "kube-public" are never copied; move the object to another namespace.',
    ],
    system: [
      { list: 'into-system' },
      'ConfigMap demo/system: Context "into-system" would place the copy in namespace "kube-public", where nothing is ever copied to; give the context another namespace.',
    ],
  };
  await writeFile(join(folder, 'good.yaml'), yaml('good', { list: 'context-1, context-2' }));
  await writeFile(join(folder, 'plain.yaml'), yaml('plain', {}));
  await writeFile(join(folder, 'secret.yaml'), yaml('secret', { list: 'context-1', kind: 'Secret' }));
  for (const [name, [options]] of Object.entries(bad)) {
    await writeFile(join(folder, `${name}.yaml`), yaml(name, options));
  }

  const { stdout, stderr, exitCode } = await kubectl(['apply', '-f', folder]);

  expect(exitCode).toBe(1);
  expect(stdout).toBe('configmap/good created\nconfigmap/plain created\nsecret/secret created\n');
  expect(stderr).toBe(
    Object.entries(bad)
      .map(
        ([name, [, message]]) =>
          `Error from server: error when creating "${folder}/${name}.yaml": ${denied} ${message}\n`,
      )
      .join(''),
  );
  await appears(here.target(1), 'configmaps', 'demo', 'good');
  await appears(here.target(2), 'configmaps', 'demo-cluster-2', 'good');
  await appears(here.target(1), 'secrets', 'demo', 'secret');
  for (const [name, [{ kind, namespace = 'demo' }]] of Object.entries(bad)) {
    const plural = kind === 'Secret' ? 'secrets' : 'configmaps';
    expect(await find(here.source, plural, namespace, name)).toBeUndefined();
  }
});

test('every way of writing refuses a bad list and takes a good one', async () => {
  const here = stage();
  await applied(yaml('ways', {}));
  const message = `${denied} ConfigMap demo/ways: ${unknown}\n`;
  const manifest = (list: string): string => yaml('ways', { list, data: { list } });
  const patch = (list: string): string =>
    JSON.stringify({ metadata: { annotations: { [syncContexts]: list } } });
  const object = ['configmap', 'ways', '-n', 'demo'];
  const ways: readonly { args: (list: string) => readonly string[]; before: RegExp }[] = [
    { args: (list) => ['annotate', '--overwrite', ...object, `${syncContexts}=${list}`], before: /^$/ },
    { args: (list) => ['patch', ...object, '-p', patch(list)], before: /^$/ },
    { args: (list) => ['patch', ...object, '--type=merge', '-p', patch(list)], before: /^$/ },
    { args: () => ['replace', '-f', '-'], before: /^error when replacing "STDIN": $/ },
    { args: () => ['apply', '--server-side', '--force-conflicts', '-f', '-'], before: /^$/ },
    // It shows its patch before the message.
    { args: () => ['apply', '-f', '-'], before: /^error when applying patch:\n[^]*when patching "STDIN": $/ },
  ];
  for (const { args, before } of ways) {
    for (const dryRun of [[], ['--dry-run=server']]) {
      const { stderr, exitCode } = await kubectl([...args('contxt-2'), ...dryRun], manifest('contxt-2'));
      expect(exitCode).toBe(1);
      const said = stderr.replace(/^Warning: .*\n/, '').replace(/^Error from server: /, '');
      expect(said.slice(-message.length)).toBe(message);
      expect(said.slice(0, -message.length)).toMatch(before);
    }
  }
  const untouched = await find(here.source, 'configmaps', 'demo', 'ways');
  expect(untouched?.metadata.annotations?.[syncContexts]).toBeUndefined();

  // The copy moves to and fro.
  let to = { list: 'context-1', target: here.target(1), namespace: 'demo' };
  let from = { list: 'context-2', target: here.target(2), namespace: 'demo-cluster-2' };
  for (const { args } of ways) {
    const standing = await find(here.source, 'configmaps', 'demo', 'ways');
    const input = manifest(to.list);
    expect((await kubectl([...args(to.list), '--dry-run=server'], input)).exitCode).toBe(0);
    expect(await find(here.source, 'configmaps', 'demo', 'ways')).toEqual(standing);
    expect((await kubectl(args(to.list), input)).exitCode).toBe(0);
    await appears(to.target, 'configmaps', to.namespace, 'ways');
    await disappears(from.target, 'configmaps', from.namespace, 'ways');
    [to, from] = [from, to];
  }
});

test('what is no reason to refuse is shown as a warning, also beside a refusal', async () => {
  const { stdout, stderr } = await kubectl(
    ['apply', '-f', '-'],
    yaml('warned', { list: 'context-1,context-1,down' }),
  );
  expect(stdout).toBe('configmap/warned created\n');
  expect(stderr).toMatch(
    /^Warning: Context "context-1" is listed more than once; it counts once\.\nWarning: Context "down" is unreachable since \d{4}-\d\d-\d\dT\d\d:\d\dZ; its copy follows when it answers\.\n$/,
  );
  await appears(stage().target(1), 'configmaps', 'demo', 'warned');
  const refused = await kubectl(['create', '-f', '-'], yaml('refused', { list: 'home,context-1,context-1' }));
  expect(refused.stderr).toBe(
    `Warning: Context "context-1" is listed more than once; it counts once.\nError from server: error when creating "STDIN": ${denied} ConfigMap demo/refused: ${homeTwice}\n`,
  );
});

test('a context is refused until it is added to the contexts, and then its copy appears', async () => {
  const here = stage();
  await applied(yaml('early', {}));
  const annotate = ['annotate', 'configmap', 'early', '-n', 'demo', `${syncContexts}=added`];
  expect((await kubectl(annotate)).stderr).toBe(
    `Error from server: ${denied} ConfigMap demo/early: Context "added" is unknown; ${known}.\n`,
  );

  await started().setContexts([...contexts, { name: 'added', cluster: here.target(2) }]);
  onTestFinished(async () => {
    await started().setContexts(contexts);
    await eventually('the context is unknown again', async () => {
      expect(
        (await kubectl(['create', '--dry-run=server', '-f', '-'], yaml('x', { list: 'added' }))).stderr,
      ).toContain(`Context "added" is unknown; ${known}.`);
    });
  });

  await eventually('the new context is accepted', async () => {
    expect(await kubectl(annotate)).toEqual({
      exitCode: 0,
      stdout: 'configmap/early annotated\n',
      stderr: '',
    });
  });
  await appears(here.target(2), 'configmaps', 'demo', 'early');
  await kubectl(['delete', 'configmap', 'early', '-n', 'demo']);
  await disappears(here.target(2), 'configmaps', 'demo', 'early');
});

test('a catalog that somebody deletes or damages comes back, and the webhook never stops knowing the contexts', async () => {
  const { source } = stage();
  const path = `/api/v1/namespaces/${ownNamespace}/configmaps/${catalogConfigMapName}`;
  const before = await publishedCatalog();
  const harms = [
    () => source.request('DELETE', path),
    () =>
      source.request(
        'PATCH',
        path,
        { data: { [catalogKey]: '{' } },
        { contentType: 'application/merge-patch+json' },
      ),
  ];
  for (const harm of harms) {
    const { metadata } = await publishedCatalog();
    await harm();
    await refusesUnknown();
    await appears(source, 'configmaps', ownNamespace, catalogConfigMapName, (healed) => {
      expect(healed.metadata.resourceVersion).not.toBe(metadata.resourceVersion);
      expect(healed.data).toEqual(before.data);
    });
    await refusesUnknown();
  }
});

test('while the webhook is down, only new and changed annotations are refused', async () => {
  const here = stage();
  for (const name of ['standing', 'unannotated', 'deleted']) {
    await applied(yaml(name, { list: 'context-1' }));
    await appears(here.target(1), 'configmaps', 'demo', name);
  }
  expect(await started().webhook.stop()).toEqual({ code: 0, signal: null });
  onTestFinished(async () => {
    await started().startWebhook();
    await inUse();
  });

  expect((await applied(yaml('bare', {}))).stdout).toBe('configmap/bare created\n');
  expect((await applied(yaml('standing', { list: 'context-1' }))).stdout).toBe(
    'configmap/standing unchanged\n',
  );
  expect((await applied(yaml('standing', { list: 'context-1', data: { a: 'b' } }))).stdout).toBe(
    'configmap/standing configured\n',
  );
  await appears(here.target(1), 'configmaps', 'demo', 'standing', ({ data }) => {
    expect(data).toEqual({ a: 'b' });
  });
  expect(
    (await kubectl(['annotate', 'configmap', 'unannotated', '-n', 'demo', `${syncContexts}-`])).exitCode,
  ).toBe(0);
  await disappears(here.target(1), 'configmaps', 'demo', 'unannotated');
  expect((await kubectl(['delete', 'configmap', 'deleted', '-n', 'demo'])).exitCode).toBe(0);
  await disappears(here.target(1), 'configmaps', 'demo', 'deleted');

  const outage =
    /^Error from server \(InternalError\): (error when creating "STDIN": )?Internal error occurred: failed calling webhook "sync-contexts\.context-syncer\.dev": failed to call webhook: Post "https:\/\/127\.0\.0\.1:\d+\/validate\?timeout=3s": .*connection refused\n$/;
  expect((await kubectl(['create', '-f', '-'], yaml('late', { list: 'context-1' }))).stderr).toMatch(outage);
  const change = [
    'annotate',
    '--overwrite',
    'configmap',
    'standing',
    '-n',
    'demo',
    `${syncContexts}=context-2`,
  ];
  expect((await kubectl(change)).stderr).toMatch(outage);
});

test('while the controller is down, the webhook goes on with its catalog, even one that starts then', async () => {
  const here = stage();
  expect(await started().controller.stop()).toEqual({ code: 0, signal: null });
  await refusesUnknown();
  await started().webhook.stop();
  await started().startWebhook();
  await inUse();
  expect((await applied(yaml('meanwhile', { list: 'context-1' }))).exitCode).toBe(0);
  expect(await find(here.target(1), 'configmaps', 'demo', 'meanwhile')).toBeUndefined();

  await started().startController();
  await appears(here.target(1), 'configmaps', 'demo', 'meanwhile');
});

test('a controller that starts while a cluster is down still knows which contexts are that cluster', async () => {
  const here = stage();
  const down = here.target(1);
  expect(await started().controller.stop()).toEqual({ code: 0, signal: null });
  const before = parseCatalog((await publishedCatalog()).data?.[catalogKey] ?? '');
  await down.kill();
  onTestFinished(async () => {
    await down.restart();
    await inUse();
  });
  await started().startController();

  await appears(here.source, 'configmaps', ownNamespace, catalogConfigMapName, ({ data }) => {
    const { contexts: now } = parseCatalog(data?.[catalogKey] ?? '');
    for (const name of ['context-1', 'alias-of-1']) {
      expect(now.get(name)?.unreachableSince).toBeDefined();
      expect(now.get(name)?.cluster).toBe(before.contexts.get(name)?.cluster);
    }
  });
  expect(
    (await kubectl(['create', '-f', '-'], yaml('twice', { list: 'context-1,alias-of-1' }))).stderr,
  ).toContain(sameCluster());
});

test('a policy that is tightened is enforced at both ends, and deletes nothing', async () => {
  const here = stage();
  await applied(yaml('tightened', { list: 'context-1,context-2', data: { version: '1' } }));
  await appears(here.target(1), 'configmaps', 'demo', 'tightened');
  await appears(here.target(2), 'configmaps', 'demo-cluster-2', 'tightened');
  await started().controller.stop();
  onTestFinished(async () => {
    await started().controller.stop();
    await started().startController();
    await inUse();
  });
  await started().startController('policies: [{contexts: [context-1], sourceNamespaces: [platform]}]');

  const refusal = `The policies do not allow context "context-1" for ConfigMaps of namespace "demo"; remove it from the list.`;
  await eventually('the webhook knows the policies', async () => {
    const create = ['create', '--dry-run=server', '-f', '-'];
    expect((await kubectl(create, yaml('new', { list: 'context-1' }))).stderr).toBe(
      `Error from server: error when creating "STDIN": ${denied} ConfigMap demo/new: ${refusal} Allowed contexts are: "alias-of-1", "context-2", "down", "into-system".\n`,
    );
  });
  // The list stays as it is, so the webhook is not asked, and the controller has to know.
  await applied(yaml('tightened', { list: 'context-1,context-2', data: { version: '2' } }));
  await appears(here.target(2), 'configmaps', 'demo-cluster-2', 'tightened', ({ data }) => {
    expect(data).toEqual({ version: '2' });
  });
  await eventAbout(here.source, 'demo', 'tightened', 'InvalidSyncContexts', ({ message }) => {
    expect(message).toContain(refusal);
  });
  expect((await find(here.target(1), 'configmaps', 'demo', 'tightened'))?.data).toEqual({ version: '1' });

  await applied(yaml('tightened', { list: 'context-2', data: { version: '2' } }));
  await disappears(here.target(1), 'configmaps', 'demo', 'tightened');
  expect((await find(here.target(2), 'configmaps', 'demo-cluster-2', 'tightened'))?.data).toEqual({
    version: '2',
  });
});

test("the API server's verdict on any list is that of the controller", async () => {
  const catalog = parseCatalog((await publishedCatalog()).data?.[catalogKey] ?? '');
  const circumstances = { keys, catalog, ownNamespace };
  const reasons = new Set<string>();
  for (const [index, { entries, namespace, sort, isCopy }] of sample(asked, {
    seed: 4,
    numRuns: 60,
  }).entries()) {
    const name = `asked-${index}`;
    const list = entries.join(',');
    const { kind, type } = sort;
    const subject = { kind, type, namespace, name, isCopy };
    const { status, body } = await stage().source.request<{
      readonly details?: {
        readonly causes: readonly { readonly reason: string; readonly message: string }[];
      };
    }>(
      'POST',
      `/api/v1/namespaces/${namespace}/${kind === 'Secret' ? 'secrets' : 'configmaps'}?dryRun=All`,
      {
        metadata: { name, annotations: { [syncContexts]: list, ...(isCopy ? { [keys.origin]: '{}' } : {}) } },
        type,
      },
      { allowFailure: true },
    );
    const verdict = judge({ ...subject, list: parseContextList(list) }, circumstances);
    const { violations, names } = resolve({ ...subject, syncContexts: list }, circumstances, type);
    const told = body.details?.causes.map(({ reason, message }) => ({ reason, message })) ?? [];
    const said = { subject, list, status, told };
    const expected = verdict.map(({ reason, message }) => ({ reason, message }));
    expect(said).toEqual({ subject, list, status: verdict.length === 0 ? 201 : 422, told: expected });
    expect(violations).toEqual(verdict);
    for (const reason of verdict.length === 0
      ? [`Accepted${names.length}`]
      : verdict.map(({ reason }) => reason)) {
      reasons.add(reason);
    }
  }
  // Of all that there is, something was asked.
  expect([...reasons].toSorted()).toEqual([
    'Accepted1',
    'Accepted2',
    'CopyAsSource',
    'EmptyList',
    'EmptyName',
    'SameCluster',
    'SourceCluster',
    'SpecialSecret',
    'SystemNamespace',
    'TargetNamespace',
    'UnknownContext',
  ]);
});

const asked = record({
  entries: array(
    oneof(
      {
        weight: 8,
        arbitrary: constantFrom('context-1', ' context-2', 'alias-of-1 ', 'down', 'home', 'into-system'),
      },
      { weight: 1, arbitrary: constantFrom('', ' ', 'Context-1', 'context 1', 'contxt-2') },
      { weight: 1, arbitrary: string({ unit: 'grapheme', maxLength: 12 }) },
    ),
    { maxLength: 5 },
  ),
  namespace: oneof(
    { weight: 9, arbitrary: constantFrom('demo') },
    { weight: 1, arbitrary: constantFrom('kube-public') },
  ),
  sort: constantFrom(
    { kind: 'ConfigMap', type: undefined },
    { kind: 'Secret', type: 'Opaque' },
    { kind: 'Secret', type: 'helm.sh/release.v1' },
    { kind: 'ConfigMap', type: undefined },
  ),
  isCopy: constantFrom(false, false, false, false, true),
} as const);

/** Waits until the API server asks the webhook, which knows who each context's cluster is. Nothing is written. */
async function inUse(): Promise<void> {
  await eventually('the webhook knows all contexts', async () => {
    const ask = async (list: string): Promise<string> =>
      (await kubectl(['create', '--dry-run=server', '-f', '-'], yaml('question', { list }))).stderr;
    expect(await ask('context-1,context-2')).toBe('');
    expect(await ask('context-1,alias-of-1')).toContain(sameCluster());
    expect(await ask('home')).toContain(homeTwice);
    expect(await ask('down')).toContain('is unreachable since');
  });
}

async function refusesUnknown(): Promise<void> {
  expect((await kubectl(['create', '-f', '-'], yaml('unknown', { list: 'contxt-2' }))).stderr).toBe(
    `Error from server: error when creating "STDIN": ${denied} ConfigMap demo/unknown: ${unknown}\n`,
  );
}

async function publishedCatalog(): Promise<StoredObject> {
  return await appears(stage().source, 'configmaps', ownNamespace, catalogConfigMapName);
}

function started(): Pair {
  if (pair === undefined) {
    throw new Error('the pair is there inside tests only');
  }
  return pair;
}

function sameCluster(): string {
  return `Contexts "context-1" and "alias-of-1" are the same cluster (${stage().target(1).url}); keep one of them.`;
}

async function kubectl(args: readonly string[], stdin?: string): Promise<KubectlResult> {
  return await stage().source.kubectl(args, {
    allowFailure: true,
    ...(stdin === undefined ? {} : { stdin }),
  });
}

async function applied(manifest: string): Promise<KubectlResult> {
  return await stage().source.kubectl(['apply', '-f', '-'], { stdin: manifest });
}

function yaml(
  name: string,
  options: {
    readonly list?: string;
    readonly kind?: 'ConfigMap' | 'Secret';
    readonly namespace?: string;
    readonly type?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly data?: Readonly<Record<string, string>>;
  },
): string {
  const { list, kind = 'ConfigMap', namespace = 'demo', type, annotations, data } = options;
  return JSON.stringify({
    apiVersion: 'v1',
    kind,
    metadata: {
      name,
      namespace,
      annotations: { ...(list === undefined ? {} : { [syncContexts]: list }), ...annotations },
    },
    type,
    data,
  });
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';

/** Milliseconds: three control planes start in 5 s on an idle machine, and in half a minute on a busy one. */
const patienceMs = 90_000;

/** `npm run demo` as a person runs it, in a process group and a temporary folder of its own. */
async function startDemo(...flags: readonly string[]) {
  const temporary = await mkdtemp(join(tmpdir(), 'demo-test-'));
  onTestFinished(() => rm(temporary, { recursive: true, force: true }));
  const child = spawn('npm', ['run', '--silent', 'demo', '--', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, TMPDIR: temporary },
  });
  const group = child.pid ?? 0;
  onTestFinished(() => {
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const closed = once(child, 'close');
  return {
    output: () => output,
    /** Waits until it has printed this. */
    async prints(text: string): Promise<void> {
      await eventually(
        `the demo prints "${text}"`,
        () => {
          if (!output.includes(text)) {
            throw new Error(`it has printed:\n${output}`);
          }
        },
        patienceMs,
      );
    },
    /** What Ctrl-C in a terminal does: the signal goes to the whole group. */
    interrupt(): void {
      process.kill(-group, 'SIGINT');
    },
    /** Its exit status. */
    async end(): Promise<number | null> {
      await closed;
      return child.exitCode;
    },
    /** Processes that descend from it, whoever their parent is by now, and its folders. */
    async leftovers(): Promise<readonly string[]> {
      const folders = (await readdir(temporary)).filter((name) => name.startsWith('context-syncer-'));
      return [...(await processesWith(`TMPDIR=${temporary}`)), ...folders];
    },
  };
}

/** Command lines of the processes whose environment has this entry: children inherit it. */
async function processesWith(entry: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // A process of somebody else, or one that has just ended.
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(entry) ? [await readFile(`/proc/${pid}/cmdline`, 'utf8')] : [];
    }),
  );
  return found.flat().map((commandLine) => commandLine.replaceAll('\0', ' '));
}

const denied = 'admission webhook "sync-contexts.context-syncer.dev" denied the request:';
const unknown =
  'Context "contxt-2" is unknown (did you mean "context-2"?); known contexts are: "context-1", "context-1-alias", "context-2".';
const sameCluster =
  'Contexts "context-1" and "context-1-alias" are the same cluster (https://127.0.0.1:PORT); keep one of them.';

/** What kubectl said of everything that the webhook refused, without ports. */
function refusals(output: string): readonly string[] {
  return [...output.matchAll(/^Error from server: ([^]*?)\n\n/gm)].map(([, text = '']) =>
    text.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT'),
  );
}

test('the demo plays the tutorial to its end and leaves nothing behind', async () => {
  const demo = await startDemo();
  await demo.prints('✓ the webhook is ready');
  expect(await demo.leftovers()).not.toEqual([]);

  const status = await demo.end();
  const output = demo.output();
  expect({ status, output }).toEqual({ status: 0, output });
  const times = [...output.matchAll(/✓ (context-\d): the copy (\S+) (.+) after [\d.]+ ms/g)];
  expect(times.map(([, context, copy, what]) => `${context} ${copy} ${what}`)).toEqual([
    'context-1 demo/omni is there',
    'context-2 demo-cluster-2/omni is there',
    'context-1 demo/omni has the new value',
    'context-2 demo-cluster-2/omni has the new value',
    'context-1 demo/omni is repaired',
    'context-2 demo-cluster-2/omni is back',
    'context-2 demo-cluster-2/omni is gone',
    'context-2 demo-cluster-2/omni is there',
    'context-1 demo/omni is gone',
    'context-2 demo-cluster-2/omni is gone',
  ]);
  expect(refusals(output)).toEqual([
    `error when creating "STDIN": ${denied} ConfigMap demo/unknown-context: ${unknown}`,
    `error when creating "STDIN": ${denied} ConfigMap demo/same-cluster: ${sameCluster}`,
    `${denied} ConfigMap demo/omni has 2 problems:\n- ${unknown}\n- ${sameCluster}`,
  ]);
  const end = output.slice(output.indexOf('What is left'));
  expect(end).toMatch(/\$ kubectl get configmap omni -n demo\nNAME +DATA +AGE\nomni +1 /);
  for (const place of [
    '--context=context-1 get configmap omni -n demo',
    '--context=context-2 get configmap omni -n demo-cluster-2',
  ]) {
    expect(end).toContain(`$ kubectl ${place}\nError from server (NotFound): configmaps "omni" not found`);
  }
  expect(end).toMatch(/\nDone after [\d.]+ s; everything was stopped and removed\.\n$/);
  expect(await demo.leftovers()).toEqual([]);
});

test.for(['the program is built', '$ context-syncer webhook', 'An update of the source arrives everywhere'])(
  'Ctrl-C after "%s" ends it and leaves nothing behind',
  async (moment) => {
    const demo = await startDemo();
    await demo.prints(moment);

    demo.interrupt();

    expect(await demo.end()).not.toBe(0);
    await demo.prints('Interrupted; everything was stopped and removed.');
    const output = demo.output();
    await eventually('nothing is left', async () =>
      expect({ left: await demo.leftovers(), output }).toEqual({ left: [], output }),
    );
  },
);

test('with --keep it says what to try, and runs until Ctrl-C', async () => {
  const demo = await startDemo('--keep');
  await demo.prints('logs/webhook.log');
  const urls = [...demo.output().matchAll(/curl (\S+)/g)].map(([, url = '']) => url);
  const metrics = await Promise.all(urls.map(async (url) => await (await fetch(url)).text()));
  expect(metrics).toEqual([
    expect.stringContaining('context_syncer_context_up{context="context-2"} 1'),
    expect.stringContaining('context_syncer_webhook_denials_total{reason="SameCluster"}'),
  ]);

  demo.interrupt();
  await demo.end();

  expect(demo.output()).toContain('export KUBECONFIG=');
  expect(demo.output()).toMatch(/\nDone after [\d.]+ s; everything was stopped and removed\.\n$/);
  await eventually('nothing is left', async () => expect(await demo.leftovers()).toEqual([]));
});

test('a flag that it does not know is answered with its usage', async () => {
  const demo = await startDemo('--kepe');
  expect(await demo.end()).toBe(2);
  expect(demo.output()).toContain('usage: npm run demo -- [--keep]');
});

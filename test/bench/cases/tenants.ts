import { setTimeout as sleep } from 'node:timers/promises';
import type { CatalogContext } from '../../../shared/catalog/catalog.ts';
import { eventually } from '../../harness/eventually.ts';
import { AdmissionStage } from '../../integration/webhook/admission-stage.ts';
import { type Created, Tenant } from '../../integration/webhook/tenant.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import type { BenchCase, CaseRun } from '../bench-case.ts';
import type { Comparison, Side } from '../result.ts';
import { percentile } from '../statistics.ts';

const badTenants = 8;
const created = 201;
const refused = 422;
const goodList = 'context-1,context-2';
/** Creates a second from the good tenant, as many as controller-runtime's client sends unless it is told otherwise. */
const perSecond = 20;
const usualSeconds = 30;
/** Of all nine: connections are opened, rights are remembered, code is compiled. */
const warmUpSeconds = 20;
const lookalike = (index: number): string => `${'cluster-'.repeat(8)}${index}`;
/** Ten unknown names that look like 300 known ones: suggestions cost most. Each list is another, so no judgement is remembered. */
const badList = (turn: number): string =>
  Array.from({ length: 10 }, (_, index) => `${'cluster-'.repeat(8)}x${turn}-${index}`).join();
const known: readonly CatalogContext[] = [
  ...['context-1', 'context-2'].map(contextOf),
  ...Array.from({ length: 300 }, (_, index) => contextOf(lookalike(index))),
];

type Repeat = (over: AbortSignal, create: (turn: number) => Promise<Created>) => Promise<readonly Created[]>;

interface Disturbance {
  readonly by: string;
  readonly bar: string;
  readonly repeat: Repeat;
  readonly create: (tenant: Tenant, turn: number) => Promise<Created>;
}

const createBad = (tenant: Tenant, turn: number): Promise<Created> => tenant.create(badList(turn));

/**
 * What the eight do meanwhile. Loops take all of the machine's cores; those with objects that the API server refuses by itself
 * show the share of both in that.
 */
const disturbances: readonly Disturbance[] = [
  { by: `bad lists, ${perSecond}/s each`, bar: 'p99 <= 2x', repeat: atRate, create: createBad },
  { by: 'bad lists in a loop', bar: 'p99 <= 2x', repeat: inALoop, create: createBad },
  {
    by: 'bad names in a loop, no webhook',
    bar: '-',
    repeat: inALoop,
    create: (tenant) => tenant.createMisnamed(),
  },
];

/** The reference is the same tenant alone. */
export const tenants: BenchCase = {
  name: 'tenants',
  summary: "a tenant's creates through an API server while 8 others create bad objects",
  minutes: 20,
  quick: true,
  run,
};

async function run(run: CaseRun): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const sandbox = await startSandbox({ targets: 0 });
  stack.defer(() => sandbox.stop());
  const stage = await AdmissionStage.prepare(sandbox);
  stack.defer(() => stage.endWebhook());
  await stage.publish(known);
  const webhook = await stage.startWebhook();
  await webhook.ready();
  await webhook.says('catalog of contexts read');
  const names = ['good', ...Array.from({ length: badTenants }, (_, index) => `bad-${index}`)];
  const all = await Promise.all(names.map((name) => Tenant.settle(sandbox.source, name)));
  stack.defer(() => {
    for (const tenant of all) {
      tenant.leave();
    }
  });
  await Promise.all(
    all.map((tenant) =>
      eventually('the rights of the tenant are known', async () => {
        const { status, body } = await tenant.create(goodList);
        if (status !== created) {
          throw new Error(body);
        }
      }),
    ),
  );
  const [good, ...bad] = all;
  if (good === undefined) {
    throw new Error('there is no tenant');
  }
  if (!run.quick) {
    run.say(`warm-up of ${warmUpSeconds} s`);
    const over = AbortSignal.timeout(warmUpSeconds * 1_000);
    await Promise.all([
      atRate(over, () => good.create(goodList)),
      ...bad.map((tenant) => atRate(over, (turn) => createBad(tenant, turn))),
    ]);
  }
  for (let round = 0; round < run.rounds; round++) {
    for (const disturbance of disturbances) {
      await measure(run, good, disturbance, 'reference');
      const over = new AbortController();
      const creating = bad.map((tenant) =>
        disturbance.repeat(over.signal, (turn) => disturbance.create(tenant, turn)),
      );
      await measure(run, good, disturbance, 'product');
      over.abort();
      const statuses = (await Promise.all(creating)).flat().map(({ status }) => status);
      const { by } = disturbance;
      run.record.count(`${by}: not refused`, 0, statuses.filter((status) => status !== refused).length);
      run.say(`${by}: ${statuses.length} were refused meanwhile`);
    }
  }
}

async function measure(
  { quick, record, seconds }: CaseRun,
  good: Tenant,
  { by, bar }: Disturbance,
  side: Side,
): Promise<void> {
  const latencies: number[] = [];
  const over = AbortSignal.timeout((seconds ?? (quick ? 5 : usualSeconds)) * 1_000);
  const answers = await atRate(over, async () => {
    const began = performance.now();
    const answer = await good.create(goodList);
    latencies.push(performance.now() - began);
    return answer;
  });
  const comparison = (value: string): Comparison => ({ what: `${value} beside ${by}`, unit: 'ms', bar });
  record.measured(comparison('p50'), side, percentile(latencies, 0.5));
  record.measured(comparison('p99'), side, percentile(latencies, 0.99));
  record.count(
    `${by}, ${side === 'product' ? 'beside them' : 'alone'}: good objects that failed`,
    0,
    answers.filter(({ status }) => status !== created).length,
  );
}

/** Creates objects at the fixed rate until it is over, whether or not the ones before are answered. */
async function atRate(
  over: AbortSignal,
  create: (turn: number) => Promise<Created>,
): Promise<readonly Created[]> {
  const asked: Promise<Created>[] = [];
  const began = performance.now();
  while (!over.aborted) {
    asked.push(create(asked.length));
    await sleep(Math.max(0, began + (asked.length / perSecond) * 1_000 - performance.now()));
  }
  return await Promise.all(asked);
}

/** Creates one object after the other until it is over. */
async function inALoop(
  over: AbortSignal,
  create: (turn: number) => Promise<Created>,
): Promise<readonly Created[]> {
  const answers: Created[] = [];
  while (!over.aborted) {
    answers.push(await create(answers.length));
  }
  return answers;
}

function contextOf(name: string): CatalogContext {
  return { name, cluster: `uid of ${name}`, identified: true, settling: false, isSource: false };
}

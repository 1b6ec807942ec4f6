import type { CatalogContext } from '../../../shared/catalog/catalog.ts';
import { eventually } from '../../harness/eventually.ts';
import { AdmissionStage } from '../../integration/webhook/admission-stage.ts';
import { Tenant } from '../../integration/webhook/tenant.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import type { BenchCase, CaseRun } from '../bench-case.ts';
import type { Comparison, Side } from '../result.ts';
import { percentile } from '../statistics.ts';

const badTenants = 8;
const created = 201;
const refused = 422;
const goodList = 'context-1,context-2';
/** Ten unknown names that look like 300 known ones: suggestions cost most. */
const lookalike = (index: number): string => `${'cluster-'.repeat(8)}${index}`;
const badList = Array.from({ length: 10 }, (_, index) => `${'cluster-'.repeat(31)}${index}`).join();
const known: readonly CatalogContext[] = [
  ...['context-1', 'context-2'].map(contextOf),
  ...Array.from({ length: 300 }, (_, index) => contextOf(lookalike(index))),
];

/** What the eight do meanwhile. Objects that the API server refuses by itself show its own share, and the machine's. */
const disturbances = [
  { by: 'bad lists', bar: 'p99 <= 2x', create: (tenant: Tenant) => tenant.create(badList) },
  { by: 'bad names, no webhook', bar: '-', create: (tenant: Tenant) => tenant.createMisnamed() },
] as const;

/** The reference is the same tenant alone. */
export const tenants: BenchCase = {
  name: 'tenants',
  summary: "a tenant's creates through an API server while 8 others create bad objects in a loop",
  minutes: 10,
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
  for (let round = 0; round < run.rounds; round++) {
    for (const { by, bar, create } of disturbances) {
      await measure(run, good, by, bar, 'reference');
      const over = new AbortController();
      const loops = bad.map((tenant) => repeat(() => create(tenant), over.signal));
      await measure(run, good, by, bar, 'product');
      over.abort();
      const statuses = (await Promise.all(loops)).flat();
      run.record.count(`${by}: not refused`, 0, statuses.filter((status) => status !== refused).length);
      run.say(`${by}: ${statuses.length} were refused meanwhile`);
    }
  }
}

/** Creates one object after the other. */
async function measure(
  { quick, record }: CaseRun,
  good: Tenant,
  by: string,
  bar: string,
  side: Side,
): Promise<void> {
  const latencies: number[] = [];
  let failures = 0;
  for (let index = 0; index < (quick ? 100 : 1_000); index++) {
    const began = performance.now();
    const { status } = await good.create(goodList);
    latencies.push(performance.now() - began);
    failures += status === created ? 0 : 1;
  }
  const comparison = (value: string): Comparison => ({ what: `${value} beside ${by}`, unit: 'ms', bar });
  record.measured(comparison('p50'), side, percentile(latencies, 0.5));
  record.measured(comparison('p99'), side, percentile(latencies, 0.99));
  record.count(
    `${by}, ${side === 'product' ? 'beside them' : 'alone'}: good objects that failed`,
    0,
    failures,
  );
}

async function repeat(
  create: () => Promise<{ readonly status: number }>,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const statuses: number[] = [];
  while (!signal.aborted) {
    const { status } = await create();
    statuses.push(status);
  }
  return statuses;
}

function contextOf(name: string): CatalogContext {
  return { name, cluster: `uid of ${name}`, identified: true, settling: false, isSource: false };
}

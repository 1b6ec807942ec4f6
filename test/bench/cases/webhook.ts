import type { BenchCase, CaseRun } from '../bench-case.ts';
import type { Side } from '../result.ts';
import { percentile } from '../statistics.ts';
import type { Turn } from '../webhook/measured-server.ts';
import { type Verdict, verdicts } from '../webhook/review-body.ts';
import { WebhookPair } from '../webhook/webhook-pair.ts';

const contexts = 300;
const reviewBytes = 4_800;
const rates = [300, 1_000, 2_500];
/** Of load for each server, rate and verdict, all rounds together. */
const usualSeconds = 120;
/** The two servers take turns of this length at most, so that both meet the same machine. */
const turnSeconds = 5;
/** Before it counts: connections are opened and code is compiled, which takes some thousand reviews. */
const warmUp = { seconds: 2, rate: 1_500 };

/** The reference is an express server that parses the same reviews and answers constants of the same size. */
export const webhook: BenchCase = {
  name: 'webhook',
  summary: '300, 1,000 and 2,500 reviews a second of 4.8 kB, accepted and refused',
  minutes: 40,
  quick: true,
  run: async (run) => {
    await using pair = await WebhookPair.start(contexts, reviewBytes);
    for (const rate of run.quick ? rates.slice(0, 1) : rates) {
      for (const verdict of verdicts) {
        await measure(run, pair, verdict, rate);
      }
    }
  },
};

async function measure(run: CaseRun, pair: WebhookPair, verdict: Verdict, rate: number): Promise<void> {
  const seconds = (run.seconds ?? (run.quick ? 2 : usualSeconds)) / run.rounds;
  const turns = Math.ceil(seconds / turnSeconds);
  const turn = (side: Side, length: number, reviews = rate): Promise<Turn> =>
    pair.server(side).turn(pair.path(side, verdict), pair.bodies[verdict], reviews, length);
  const what = (value: string): string => `${rate}/s ${verdict}, ${value}`;
  const sides = ['product', 'reference'] as const;
  if (!run.quick) {
    for (const side of sides) {
      await turn(side, warmUp.seconds, Math.max(warmUp.rate, rate));
    }
  }
  let failures = 0;
  let firstRss: number | undefined;
  for (let round = 0; round < run.rounds; round++) {
    const found: Record<Side, Turn[]> = { product: [], reference: [] };
    for (let index = 0; index < turns; index++) {
      for (const side of index % 2 === 0 ? sides : sides.toReversed()) {
        found[side].push(await turn(side, seconds / turns));
      }
    }
    for (const side of sides) {
      const latencies = found[side].flatMap((one) => one.latencies);
      const cpuSeconds = found[side].reduce((sum, one) => sum + one.cpuSeconds, 0);
      const measured = (value: string, unit: string, bar: string, number: number): void =>
        run.record.measured({ what: what(value), unit, bar }, side, number);
      measured('p50', 'ms', '<= 1.1x', percentile(latencies, 0.5));
      measured('p99', 'ms', '<= 1.3x', percentile(latencies, 0.99));
      measured('CPU a review', 'µs', '<= 1.3x', (cpuSeconds / latencies.length) * 1e6);
      failures += found[side].reduce((sum, one) => sum + one.failures, 0);
    }
    // The reference is the webhook itself after its first turn.
    firstRss ??= found.product[0]?.rssMiB ?? Number.NaN;
    const rss = { what: what('RSS'), unit: 'MiB', bar: 'flat' };
    run.record.measured(rss, 'product', found.product.at(-1)?.rssMiB ?? Number.NaN);
    run.record.measured(rss, 'reference', firstRss);
    run.say(`${what('')}round ${round + 1} of ${run.rounds}`);
  }
  run.record.count(what('reviews that failed'), 0, failures);
}

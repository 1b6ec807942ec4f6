/** `npm run bench`: measures the built program beside a plain loop on real API servers. */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildProgram } from '../harness/build.ts';
import { ensureBinaries } from '../sandbox/binaries/binaries.ts';
import type { BenchCase } from './bench-case.ts';
import { cases } from './cases/cases.ts';
import { latencyChart } from './chart.ts';
import { machine } from './machine.ts';
import { reportTable } from './report.ts';
import { type BenchReport, type CaseResult, Recorder, wrongCounts } from './result.ts';

const usage = `usage: npm run bench -- [options] [CASE...]

  CASE             only the named cases; without any, all
  --case NAME      the same
  --quick          small sizes, under five minutes; only counts are checked
  --seconds N      of load: webhook, for each server, rate and verdict, 120 when absent; tenants, for each
                   measurement, 30 when absent
  --rounds N       rounds of each case; 3 when absent, 1 with --quick
  --json FILE      writes all results as JSON
  --svg FILE       writes the latency distributions of the live cases as SVG
  --list           lists the cases`;

/** As shells count a process that SIGINT ended. */
const interruptedStatus = 130;
/** After the time of a case, for ending what it started. */
const graceMinutes = 3;

interface Choice {
  readonly quick: boolean;
  readonly list: boolean;
  readonly rounds: number;
  readonly seconds: number | undefined;
  readonly cases: readonly BenchCase[];
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

function choiceFromArguments(args: readonly string[]): Choice | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        case: { type: 'string', multiple: true },
        json: { type: 'string' },
        svg: { type: 'string' },
      },
    });
    const names = [...positionals, ...(values.case ?? [])];
    const named = names.map((name) => cases.find((one) => one.name === name));
    const chosen = named.length > 0 ? named : cases.filter(({ quick }) => quick || !values.quick);
    const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
    const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
    const known = chosen.flatMap((one) => one ?? []);
    const positive = rounds > 0 && (seconds === undefined || seconds > 0);
    const valid = known.length === chosen.length && Number.isInteger(rounds) && positive;
    const { quick, list, json, svg } = values;
    return valid ? { quick, list, rounds, seconds, cases: known, json, svg } : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  const choice = choiceFromArguments(process.argv.slice(2));
  if (choice === undefined) {
    console.error(usage);
    return 2;
  }
  if (choice.list) {
    for (const { name, summary, minutes, quick } of cases) {
      console.log(`${name.padEnd(22)} ${summary} (at most ${minutes} min${quick ? '; quick' : ''})`);
    }
    return 0;
  }
  await ensureBinaries({ env: process.env, progress: (line) => console.error(line) });
  await buildProgram();
  const results: CaseResult[] = [];
  const { version, described } = await machine();
  const report: BenchReport = {
    version,
    date: new Date().toISOString(),
    quick: choice.quick,
    machine: described,
    cases: results,
  };
  for (const one of choice.cases) {
    results.push(await runCase(one, choice));
    // Written after every case: what is measured is kept when a later case is interrupted.
    await write(choice.json, () => JSON.stringify(report, undefined, 1));
    await write(choice.svg, () => latencyChart(results));
  }
  console.log(reportTable(report));
  return conclusion(results);
}

async function runCase(
  { name, summary, minutes, run }: BenchCase,
  { quick, rounds, seconds }: Choice,
): Promise<CaseResult> {
  const record = new Recorder();
  const began = performance.now();
  const deadline = began + minutes * 60_000;
  const say = (line: string): void => console.error(`  ${line}`);
  console.error(`${name}: ${summary}`);
  let unfinished: string | undefined;
  try {
    await Promise.race([run({ quick, rounds, seconds, deadline, record, say }), overdue(minutes)]);
  } catch (error) {
    unfinished = error instanceof Error ? error.message : String(error);
    say(`not finished: ${unfinished}`);
  }
  return record.result(name, summary, (performance.now() - began) / 1000, unfinished);
}

/** A case that misses its deadline by minutes is stuck; the next one begins beside what it left. */
async function overdue(minutes: number): Promise<never> {
  await sleep((minutes + graceMinutes) * 60_000, undefined, { ref: false });
  throw new Error(`it was stuck after ${minutes + graceMinutes} minutes`);
}

async function write(file: string | undefined, text: () => string): Promise<void> {
  if (file !== undefined) {
    await writeFile(file, text());
  }
}

/** The last line, and the exit status that it explains. */
function conclusion(results: readonly CaseResult[]): number {
  const checks = results.reduce((sum, { checks: { length } }) => sum + length, 0);
  const wrong = results.reduce((sum, result) => sum + wrongCounts(result).length, 0);
  const unfinished = results.filter((result) => result.unfinished !== undefined).length;
  const failed = wrong + unfinished > 0;
  const verdict = failed ? 'bench failed' : 'bench passed';
  console.log(
    `${verdict}: ${checks - wrong} of ${checks} counts right, ${unfinished} of ${results.length} cases not finished`,
  );
  return failed ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(interruptedStatus));
}
process.exit(await main());

/** `npm run chaos`: random operations and faults, and an oracle that watches. `--help` shows the options. */
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildProgram } from '../harness/build.ts';
import { trustedJson } from '../sandbox/json.ts';
import { generateScript } from './generate.ts';
import { Journal } from './journal.ts';
import { type FaultGroup, faultGroups, type Step } from './operation.ts';
import { run } from './run.ts';
import { selfTest } from './self-test.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';

const usage = `usage: npm run chaos -- [options]
  --seed N         the same seed, operations and faults give the same script; random when absent
  --operations N   how many operations; 200 when absent
  --minutes M      no operations after this time; 30 when absent
  --faults a,b     groups of faults: ${faultGroups.join(', ')}; all when absent, "none" for none
  --quiet-every N  operations between quiet points; 50 when absent
  --upgrade N      begins with N more operations under controllers of 0.1, which then become the present ones
  --script FILE    plays this script instead of a seed's
  --shrink M       after a failure, spends this many minutes on making its script shorter
  --simulate N     plays N seeds in memory instead, from --seed on; the first failure is made as short as it gets
  --leaders N      of a simulation: 2 has both controllers lead all the time
  --self-test      plants known faults in the program, one at a time, and expects each to be seen
  --only a,b       of the planted faults, those whose names hold one of these
  --folder DIR     where the record goes`;

const targets = 2;

interface Options {
  readonly seed: number;
  readonly operations: number;
  readonly minutes: number;
  readonly faults: readonly FaultGroup[];
  readonly quietEvery: number;
  readonly beforeUpgrade: number;
  readonly script: string | undefined;
  readonly shrinkMinutes: number;
  readonly simulated: number;
  readonly leaders: number;
  readonly selfTest: boolean;
  readonly only: readonly string[];
  readonly folder: string;
}

function optionsFrom(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: text,
      operations: text,
      minutes: text,
      faults: text,
      'quiet-every': text,
      script: text,
      upgrade: text,
      shrink: text,
      simulate: text,
      leaders: text,
      'self-test': { type: 'boolean' },
      only: text,
      folder: text,
      help: { type: 'boolean' },
    },
  });
  const seed = numberFrom(values.seed, Math.floor(Math.random() * 1_000_000));
  const names = values.faults?.split(',').filter((name) => name !== 'none') ?? faultGroups;
  return {
    seed,
    operations: numberFrom(values.operations, 200),
    minutes: numberFrom(values.minutes, 30),
    quietEvery: numberFrom(values['quiet-every'], 50),
    faults: names.map((name) => {
      const group = faultGroups.find((known) => known === name);
      if (group === undefined) {
        throw new Error(`there are no faults "${name}"`);
      }
      return group;
    }),
    script: values.script,
    beforeUpgrade: numberFrom(values.upgrade, 0),
    shrinkMinutes: numberFrom(values.shrink, 0),
    simulated: numberFrom(values.simulate, 0),
    leaders: numberFrom(values.leaders, 1),
    selfTest: values['self-test'] ?? false,
    only: values.only?.split(',') ?? [],
    folder: values.folder ?? join(tmpdir(), `context-syncer-chaos-${seed}-${process.pid}`),
  };
}

function numberFrom(text: string | undefined, absent: number): number {
  const value = text === undefined ? absent : Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw new Error(`${text} is not a number`);
  }
  return value;
}

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    console.log(usage);
    return;
  }
  let options: Options;
  try {
    options = optionsFrom(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exitCode = 2;
    return;
  }
  if (options.simulated > 0) {
    const { passed, writes, failure } = await simulate(
      { ...options, targets },
      options.simulated,
      options.leaders === 2 ? 2 : 1,
    );
    console.log([...failure, `${passed} seeds passed, ${writes} writes judged`].join('\n'));
    process.exitCode = failure.length > 0 ? 1 : 0;
    return;
  }
  await buildProgram();
  if (options.selfTest) {
    const missed = await selfTest(options.folder, options.only);
    process.exitCode = missed.length > 0 ? 1 : 0;
    return;
  }
  const { seed, operations, faults, quietEvery, beforeUpgrade, minutes } = options;
  const script =
    options.script === undefined
      ? generateScript({ seed, operations, faults, quietEvery, beforeUpgrade, targets })
      : trustedJson<readonly Step[]>(await readFile(options.script, 'utf8'));
  const journal = new Journal(options.folder);
  journal.keep('script.json', JSON.stringify(script, undefined, 1));
  const result = await run({ script, targets, journal, maxMinutes: minutes });
  const { violations } = result;
  console.log(
    `seed ${seed}: ${result.operations} operations, ${result.writes} writes judged, ${violations.length} violations, ${result.minutes.toFixed(1)} min; record: ${journal.folder}`,
  );
  if (violations.length > 0) {
    console.log(`replay: npm run chaos -- --script ${join(journal.folder, 'script.json')}`);
    process.exitCode = 1;
    await shorten(script, options);
  }
}

/** Plays ever shorter scripts, and keeps the shortest that still fails. */
async function shorten(script: readonly Step[], { folder, shrinkMinutes }: Options): Promise<void> {
  const end = performance.now() + shrinkMinutes * 60_000;
  let attempt = 0;
  const fails = async (shorter: readonly Step[]): Promise<boolean> => {
    attempt++;
    const journal = new Journal(join(folder, `shrink-${attempt}`), true);
    const { violations } = await run({ script: shorter, targets, journal, maxMinutes: 10 });
    const failed = violations.length > 0;
    console.log(`shrink ${attempt}: ${shorter.length} steps ${failed ? 'fail' : 'pass'}`);
    if (failed) {
      journal.keep('script.json', JSON.stringify(shorter, undefined, 1));
      console.log(`replay: npm run chaos -- --script ${join(journal.folder, 'script.json')}`);
    }
    return failed;
  };
  await shrink(script, fails, () => performance.now() < end);
}

await main();

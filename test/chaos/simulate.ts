import { Simulation, type SimulationOptions } from '../unit/chaos/simulation.ts';
import { generateScript, type ScriptOptions } from './generate.ts';
import type { Step } from './operation.ts';
import { describeOperation } from './perform.ts';
import { shrink } from './shrink.ts';

/**
 * Plays scripts in memory, from the seed of `options` on, until one fails; yields how many did not, and the failing one, as short as
 * it gets, as lines.
 */
export async function simulate(
  options: ScriptOptions,
  count: number,
  leaders: 1 | 2,
): Promise<{ readonly passed: number; readonly writes: number; readonly failure: readonly string[] }> {
  let writes = 0;
  for (let index = 0; index < count; index++) {
    const seed = options.seed + index;
    const script = generateScript({ ...options, seed });
    const simulation = new Simulation({ seed, leaders });
    const violations = await simulation.run(script);
    writes += simulation.writes;
    if (violations.length > 0) {
      return { passed: index, writes, failure: await shortest({ seed, leaders }, script, violations) };
    }
  }
  return { passed: count, writes, failure: [] };
}

/** Other violations than the first one of a script are other failures. */
async function shortest(
  options: SimulationOptions,
  script: readonly Step[],
  violations: readonly string[],
): Promise<readonly string[]> {
  const kind = kindOf(violations);
  const play = async (steps: readonly Step[]): Promise<readonly string[]> =>
    await new Simulation(options).run(steps);
  const steps = await shrink(
    script,
    async (shorter) => kindOf(await play(shorter)) === kind,
    () => true,
  );
  const left = await play(steps);
  return [
    `seed ${options.seed}, ${steps.length} of ${script.length} steps:`,
    ...steps.map(({ operation, pauseMs }) => `  ${describeOperation(operation)}, then ${pauseMs} ms`),
    ...(left.length > 0 ? left : violations).slice(0, 5).map((violation) => `VIOLATION ${violation}`),
  ];
}

/** The violation without names, times and versions. */
function kindOf(violations: readonly string[]): string {
  return (violations[0] ?? '').replaceAll(/[^ ]*[/:0-9][^ ]*/g, '').slice(0, 80);
}

import { expect, test } from 'vitest';
import { generateScript } from '../../chaos/generate.ts';
import { faultGroups } from '../../chaos/operation.ts';
import { Simulation } from './simulation.ts';

/** More seeds: SEEDS=FROM-TO, as `SEEDS=1-500 npm run test:unit -- test/unit/chaos/simulation.test.ts`. */
const [from = 1, to = 40] = (process.env['SEEDS'] ?? '1-40').split('-').map(Number);
const seeds = Array.from({ length: to - from + 1 }, (_, index) => from + index);

test.each(seeds)(
  'seed %d: under all faults, no write breaks a rule, and everything comes to rest',
  async (seed) => {
    const script = generateScript({ seed, operations: 100, faults: faultGroups, targets: 2, quietEvery: 50 });
    const simulation = new Simulation({ seed, leaders: 1 });
    expect(await simulation.run(script)).toEqual([]);
    expect(simulation.writes).toBeGreaterThan(0);
  },
);

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateScript } from '../chaos/generate.ts';
import { Journal } from '../chaos/journal.ts';
import { type FaultGroup, faultGroups } from '../chaos/operation.ts';
import { plant, plantedFaults } from '../chaos/planted.ts';
import { run } from '../chaos/run.ts';

/** One seed of `npm run chaos`, always the same: about two minutes. */
const seed = 12;
const operations = 100;
const targets = 2;
/** What needs more processes; `npm run chaos` has it. */
const slow: readonly FaultGroup[] = ['replicas', 'manager'];
/** Quiet points wait for what is retried rarely. */
const timeoutMs = 10 * 60_000;

test(
  'under random operations and faults, no write breaks a rule, and everything is as it should be at quiet points',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'context-syncer-chaos-'));
    const journal = new Journal(folder, true);
    const faults = faultGroups.filter((group) => !slow.includes(group));
    const script = generateScript({ seed, operations, faults, targets, quietEvery: 50 });
    journal.keep('script.json', JSON.stringify(script, undefined, 1));
    const { violations, writes } = await run({ script, targets, journal, maxMinutes: 3 });
    expect(violations, `the record is in ${folder}`).toEqual([]);
    expect(writes).toBeGreaterThan(50);
    await rm(folder, { recursive: true });
  },
  timeoutMs,
);

test.each(plantedFaults)('the fault "$name" can still be planted', async (fault) => {
  const folder = await mkdtemp(join(tmpdir(), 'context-syncer-planted-'));
  await expect(plant(fault, folder)).resolves.toContain(folder);
  await rm(folder, { recursive: true });
});

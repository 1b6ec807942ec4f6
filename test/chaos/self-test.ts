import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { programFile } from '../harness/build.ts';
import { Journal } from './journal.ts';
import { type PlantedFault, plant, plantedFaults } from './planted.ts';
import { run } from './run.ts';

/** Nothing of what is planted mends itself within this. */
const deadlineMs = 30_000;

/**
 * Plants known faults, one at a time, and plays a run with each; yields those that the oracle did not see. `which`: parts of their
 * names, all when empty.
 */
export async function selfTest(folder: string, which: readonly string[]): Promise<readonly string[]> {
  const missed: string[] = [];
  const chosen = plantedFaults.filter(
    ({ name }) => which.length === 0 || which.some((part) => name.includes(part)),
  );
  for (const [index, fault] of chosen.entries()) {
    const violations = await violationsWith(fault, join(folder, `planted-${index}`));
    const seen = violations.find((violation) => violation.includes(fault.seenAs));
    if (seen === undefined) {
      console.log([`MISSED: ${fault.name}`, ...violations.slice(0, 3)].join('\n    '));
      missed.push(fault.name);
    } else {
      console.log(`caught: ${fault.name}\n    ${seen.slice(0, 200)}`);
    }
  }
  console.log(`${chosen.length - missed.length} of ${chosen.length} planted faults were seen`);
  return missed;
}

async function violationsWith(fault: PlantedFault, folder: string): Promise<readonly string[]> {
  // In the project, so that the program finds its packages.
  const place = join(programFile, '..', '..', '..', '.sandbox', `planted-${process.pid}`);
  try {
    const program = await plant(fault, place);
    const result = await run({
      script: fault.script,
      targets: 2,
      program,
      deadlineMs,
      journal: new Journal(folder, true),
      maxMinutes: 5,
    });
    return result.violations;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

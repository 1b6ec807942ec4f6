import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Journal } from './journal.ts';
import { ensureOldRelease } from './old-release.ts';
import type { Step } from './operation.ts';
import { WriteOracle } from './oracle/write-oracle.ts';
import { describeOperation, Performer } from './perform.ts';
import { quietPoint } from './quiet-point.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly script: readonly Step[];
  readonly targets: number;
  readonly journal: Journal;
  /** After this, the rest of the script is left out, but for its last quiet point. */
  readonly maxMinutes: number;
  /** The file to run instead of the built program. */
  readonly program?: string;
  /** How long quiet points wait until everything is as it should be. */
  readonly deadlineMs?: number;
}

export interface RunResult {
  /** What was wrong; the run ended there. */
  readonly violations: readonly string[];
  readonly operations: number;
  /** Writes of controllers that were judged. */
  readonly writes: number;
  readonly minutes: number;
}

/** Plays a script in a world of its own and judges what the controllers make of it. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { journal, script } = options;
  const begun = performance.now();
  const minutes = (): number => (performance.now() - begun) / 60_000;
  const managers = script.some(
    ({ operation }) => operation.op === 'edit-copy' && operation.edit === 'orphan',
  );
  await using world = await World.start({
    ...options,
    managers,
    oldProgram: script.some(({ operation }) => operation.op === 'upgrade')
      ? await ensureOldRelease()
      : undefined,
  });
  const oracle = new WriteOracle(world);
  const performer = new Performer(world);
  world.startControllers();
  let operations = 0;
  let violations: readonly string[] = [];
  for (const [index, { operation, pauseMs }] of script.entries()) {
    const isLast = index === script.length - 1;
    if (minutes() > options.maxMinutes && !isLast) {
      continue;
    }
    const title = `[${index}] ${describeOperation(operation)}`;
    if (operation.op === 'quiet') {
      journal.write(title);
      violations = await quietPoint(world, oracle, options.deadlineMs);
      if (violations.length > 0) {
        break;
      }
    } else {
      const outcome = await performer.perform(operation);
      journal.write(`${title}${outcome === '' ? '' : `: ${outcome}`}`);
      operations++;
      await sleep(pauseMs);
    }
  }
  for (const violation of violations) {
    journal.write(`VIOLATION ${violation}`);
  }
  if (violations.length > 0) {
    await keepEvidence(world, journal);
  }
  return { violations, operations, writes: oracle.writes, minutes: minutes() };
}

/** What a person needs to see why: logs of the controllers and audit logs. */
async function keepEvidence(world: World, journal: Journal): Promise<void> {
  for (const { number, output } of world.controllers) {
    journal.keep(`controller-${number}.log`, output);
  }
  for (const { plane } of world.clusters) {
    await cp(plane.auditLogFile, join(journal.folder, `audit-${plane.name}.log`));
  }
}

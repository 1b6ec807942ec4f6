import { setTimeout as sleep } from 'node:timers/promises';
import { metric } from '../harness/metrics.ts';
import { trustedJson } from '../sandbox/json.ts';
import { send } from './api-object.ts';
import { differencesIn } from './oracle/final-state.ts';
import { footprintProblems } from './oracle/footprint.ts';
import { leaks } from './oracle/leaks.ts';
import type { WriteOracle } from './oracle/write-oracle.ts';
import { ownNamespace } from './slots.ts';
import { stateOf } from './state.ts';
import type { World } from './world.ts';

/** Retries of refused objects are up to two minutes apart; what takes longer than this does not come. */
const longestMs = 180_000;
const lookMs = 400;
/** How often the journal says what is waited for. */
const tellMs = 20_000;
/** What must be free of writes. Longer than anything that runs on a short rhythm. */
const restMs = 4_000;
/** Before an operator releases a trip, so that what should be held back has the time to go wrong. */
const releaseAfterMs = 8_000;
const catalogPath = `/api/v1/namespaces/${ownNamespace}/configmaps/context-syncer-catalog`;

/** Everything that is wrong when nothing happens any more; none where all is as it should be. */
export async function quietPoint(
  world: World,
  oracle: WriteOracle,
  deadlineMs = longestMs,
): Promise<readonly string[]> {
  await world.settled();
  if (world.failures.length > 0) {
    throw new Error(`the harness failed: ${world.failures.join('; ')}`);
  }
  const begun = performance.now();
  const left = (): number => deadlineMs - (performance.now() - begun);
  let releaseAt = begun + releaseAfterMs;
  let tellAt = begun + tellMs;
  let problems: readonly string[] = [];
  for (;;) {
    problems = differencesIn(await stateOf(world));
    if (problems.length === 0) {
      const unrest = await unrestOf(oracle);
      if (unrest.problems.length > 0) {
        return unrest.problems;
      }
      problems = unrest.changes.length > 0 ? unrest.changes : differencesIn(await stateOf(world));
      if (problems.length === 0) {
        break;
      }
      world.journal.write(`        not at rest yet: ${problems.join('; ').slice(0, 300)}`);
    } else {
      const violations = await oracle.violations();
      if (violations.length > 0) {
        return violations;
      }
    }
    if (performance.now() >= tellAt) {
      tellAt += tellMs;
      world.journal.write(`        waiting: ${problems.join('; ').slice(0, 500)}`);
    }
    if (left() <= 0) {
      return problems.map((problem) => `after ${deadlineMs / 1000} s: ${problem}`);
    }
    if (performance.now() > releaseAt) {
      await releaseTrip(world, oracle);
      releaseAt = performance.now() + releaseAfterMs;
    }
    await sleep(lookMs);
  }
  world.journal.write(`        level after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return [
    ...(await oracle.violations()),
    ...(await busyQueues(world)),
    ...(await footprintProblems(world)),
    ...(await leaks(world)),
    ...world.controllers.flatMap(({ deaths }) => deaths),
  ];
}

/** What controllers change although there is nothing to do. */
async function unrestOf(
  oracle: WriteOracle,
): Promise<{ changes: readonly string[]; problems: readonly string[] }> {
  const before = await oracle.violations();
  await sleep(restMs);
  const { changes, problems } = await oracle.changes();
  return { changes, problems: [...before, ...problems] };
}

/**
 * Releases one trip of the mass-deletion guard, as an operator does; again where it is still there after a while. One at a time: a
 * release that somebody overwrites before the controller wrote what follows from it did not happen.
 */
async function releaseTrip(world: World, oracle: WriteOracle): Promise<void> {
  const [trip] = await tripsOf(world);
  if (trip === undefined) {
    return;
  }
  oracle.noteRelease();
  world.journal.write(`        trip ${trip} is released`);
  await send(world.source.plane, 'PATCH', catalogPath, {
    metadata: { annotations: { 'kubed.appscode.com/release-deletions': trip } },
  });
}

/** The trips that stand, where an operator looks for them. */
async function tripsOf({ source }: World): Promise<readonly string[]> {
  const { body } = await send<{ data?: Readonly<Record<string, string>> }>(source.plane, 'GET', catalogPath);
  const state = body.data?.['state.json'];
  return state === undefined
    ? []
    : trustedJson<{ trips: readonly { name: string }[] }>(state).trips.map(({ name }) => name);
}

async function busyQueues(world: World): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { program, number } of world.controllers) {
    for (const name of ['workqueue_depth', 'controller_runtime_active_workers']) {
      const value = program === undefined ? 0 : await metric(program, name);
      if (value > 0) {
        problems.push(`${name} of controller ${number} is ${value} at rest`);
      }
    }
  }
  return problems;
}

/** `npm run demo`: plays the tutorial on real API servers. `npm run demo -- --keep` leaves it running until Ctrl-C. */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { buildProgram } from '../harness/build.ts';
import { ensureBinaries } from '../sandbox/binaries/binaries.ts';
import { property } from '../sandbox/json.ts';
import { type Clusters, startClusters } from './clusters.ts';
import { CommandRunner } from './command-runner.ts';
import { Demo } from './demo.ts';
import { Installation } from './installation.ts';
import { thingsToTry } from './keep-running.ts';
import { scenes } from './scenes/scenes.ts';
import { Terminal } from './terminal.ts';

const usage = `usage: npm run demo -- [--keep]

  --keep   afterwards, leave everything running until Ctrl-C`;

/** As shells count a process that SIGINT ended. */
const interruptedStatus = 130;
/** Milliseconds in which a second signal is the same Ctrl-C: the terminal sends it to us, and npm may pass it on. */
const echoMs = 1_000;

const terminal = new Terminal(process.stdout);

async function main(): Promise<number> {
  const keep = keepFromArguments(process.argv.slice(2));
  if (keep === undefined) {
    terminal.plain(usage);
    return 2;
  }
  const began = performance.now();
  const signal = abortedBySignals();
  terminal.heading(
    'context-syncer: annotated ConfigMaps and Secrets, copied to the clusters that contexts name',
  );
  try {
    await prepare(signal);
    await onClusters(signal, keep);
  } catch (error) {
    if (error !== signal.reason) {
      throw error;
    }
    terminal.plain('\nInterrupted; everything was stopped and removed.');
    return interruptedStatus;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  terminal.plain(`\nDone after ${seconds} s; everything was stopped and removed.`);
  return 0;
}

function keepFromArguments(args: readonly string[]): boolean | undefined {
  try {
    return parseArgs({ args: [...args], options: { keep: { type: 'boolean', default: false } } }).values.keep;
  } catch {
    return undefined;
  }
}

/** The first signal asks for an orderly end, a later one ends the process; the keepers then clean up after it. */
function abortedBySignals(): AbortSignal {
  const interrupted = new AbortController();
  let since = Number.POSITIVE_INFINITY;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (performance.now() - since > echoMs) {
        process.exit(interruptedStatus);
      }
      since = Math.min(since, performance.now());
      interrupted.abort();
    });
  }
  return interrupted.signal;
}

/** Makes sure of what everything is built from. An interruption need not wait: nothing here has to be cleaned up. */
async function prepare(signal: AbortSignal): Promise<void> {
  const interrupted = once(signal, 'abort').then(() => Promise.reject(signal.reason));
  await terminal.step('etcd, kube-apiserver and kubectl are at hand', () =>
    Promise.race([
      interrupted,
      ensureBinaries({ env: process.env, progress: (line) => terminal.text(`  ${line}`) }),
    ]),
  );
  await terminal.step('the program is built', () =>
    Promise.race([
      interrupted,
      buildProgram().catch((error: unknown) => {
        signal.throwIfAborted();
        throw error;
      }),
    ]),
  );
}

async function onClusters(signal: AbortSignal, keep: boolean): Promise<void> {
  const clusters = await terminal.step('a source cluster and two target clusters run', startClusters);
  try {
    signal.throwIfAborted();
    await withInstallation(clusters, signal, keep);
  } catch (error) {
    // Whatever fails after it, such as a command that the Ctrl-C ended, too, is part of the interruption.
    signal.throwIfAborted();
    await clusters.sandbox.keepLogs();
    terminal.problem(`Logs of the clusters: ${clusters.sandbox.logFolder}`);
    throw error;
  } finally {
    await clusters.stop();
  }
}

async function withInstallation(clusters: Clusters, signal: AbortSignal, keep: boolean): Promise<void> {
  const runner = new CommandRunner({ terminal, clusters, signal });
  const installation = await Installation.create({ terminal, runner, clusters, signal });
  try {
    terminal.heading('Installation on the source cluster');
    await installation.start();
    const demo = await Demo.open({ terminal, clusters, runner, signal });
    try {
      await play(demo);
    } finally {
      await demo.close();
    }
    if (keep) {
      terminal.plain(`\n${thingsToTry(clusters, installation.programs)}`);
      await once(signal, 'abort');
    }
  } catch (error) {
    if (!signal.aborted) {
      await installation.keepLogs();
      for (const program of installation.programs) {
        terminal.problem(
          `The end of the ${program.name}'s log (${program.logFile}):\n${await program.lastLines()}`,
        );
      }
    }
    throw error;
  } finally {
    await installation.stop();
  }
}

async function play(demo: Demo): Promise<void> {
  for (const [index, scene] of scenes.entries()) {
    terminal.heading(`${index + 1}. ${scene.title}`);
    await scene.play(demo);
  }
}

/** A command that failed has also printed why: compilers do so on standard output. */
function explain(error: unknown): string {
  const printed = ['stdout', 'stderr'].map((stream) => property(error, stream));
  return [error instanceof Error ? error.message : String(error), ...printed]
    .flatMap((text) => (typeof text === 'string' && text.trim() !== '' ? [text.trim()] : []))
    .join('\n');
}

try {
  process.exit(await main());
} catch (error) {
  terminal.problem(`The demo failed: ${explain(error)}`);
  process.exit(1);
}

import { errorFields } from '../shared/error-fields.ts';
import { createLogger } from '../shared/log/create-logger.ts';
import type { ProcessEnvironment } from '../shared/process-environment.ts';
import { StartupError } from '../shared/settings/startup-error.ts';
import type { Command, PreparedCommand } from './command.ts';
import { programName, readCommandLine } from './command-line.ts';
import { type CrashSource, exitOnCrash } from './exit-on-crash.ts';
import { type ExitStatus, exitStatus } from './exit-status.ts';
import { type SignalSource, stopOnSignals } from './stop-on-signals.ts';

/** The process, as far as a command line needs it. */
export interface ProcessAccess extends Omit<ProcessEnvironment, 'logger' | 'signal'> {
  readonly args: readonly string[];
  readonly process: SignalSource & CrashSource;
  stdout(text: string): void;
  stderr(text: string): void;
  readFile(path: string): Promise<string>;
  /** Ends the process at once. */
  exit(status: ExitStatus): void;
}

/** Runs what the command line asks for, to its end. Never rejects. */
export async function runProgram(host: ProcessAccess, commands: readonly Command[]): Promise<ExitStatus> {
  let name: string = programName;
  try {
    const commandLine = readCommandLine(host.args, commands, host.version);
    if (commandLine.ask === 'text') {
      host.stdout(commandLine.text);
      return exitStatus.clean;
    }
    if (commandLine.ask === 'nothing known') {
      throw new StartupError(commandLine.problems);
    }
    name = `${programName} ${commandLine.command.name}`;
    const prepared = await commandLine.command.prepare(commandLine.given, (path) => host.readFile(path));
    return await runPrepared(host, name, prepared);
  } catch (error) {
    if (error instanceof StartupError) {
      refuse(host, name, error.problems);
      return exitStatus.badInput;
    }
    // A mistake of ours, before there is a log; Node's own report would print the error's message.
    host.stderr(`${name} failed: ${JSON.stringify(errorFields(error))}\n`);
    return exitStatus.failure;
  }
}

async function runPrepared(
  host: ProcessAccess,
  name: string,
  prepared: PreparedCommand,
): Promise<ExitStatus> {
  const logger = createLogger({
    level: prepared.logLevel,
    format: prepared.logFormat,
    write: (line) => {
      host.stderr(line);
    },
    now: () => host.clock.now(),
  });
  const giveUp = (): void => {
    host.exit(exitStatus.failure);
  };
  exitOnCrash(host.process, logger, giveUp);
  const signal = stopOnSignals(host.process, host.clock, logger, giveUp);
  const { clock, random, identity, version, inCluster, credentialEnvironment } = host;
  logger.info('starting', { command: name, version, identity });
  try {
    await prepared.run({
      logger,
      clock,
      random,
      signal,
      identity,
      version,
      inCluster,
      credentialEnvironment,
    });
  } catch (error) {
    if (error instanceof StartupError) {
      throw error;
    }
    logger.error('failed', errorFields(error));
    return exitStatus.failure;
  }
  logger.info('stopped');
  return exitStatus.clean;
}

function refuse(host: ProcessAccess, name: string, problems: readonly string[]): void {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const lines = problems.map((problem) => `  - ${problem}`);
  host.stderr(`${name} cannot start: ${count}\n${lines.join('\n')}\nSee ${name} --help.\n`);
}

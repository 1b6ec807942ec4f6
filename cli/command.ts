import type { Clock, Random } from '../shared/clock.ts';
import type { LogFormat, LogLevel } from '../shared/log/log-level.ts';
import type { Logger } from '../shared/logger.ts';
import type { CommandLineSettings } from '../shared/settings/read-settings.ts';
import type { SettingsTable } from '../shared/settings/setting.ts';

/** What a long-running command gets from the process that it runs in. */
export interface Environment {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Unique to this process: host name and a random part. */
  readonly identity: string;
  readonly version: string;
  /** Where Kubernetes tells a Pod its API server to be. */
  readonly inCluster: { readonly host?: string; readonly port?: string };
  /** Variables that credentials of target clusters are made with. */
  readonly credentialEnvironment: Readonly<Record<string, string | undefined>>;
}

/** A command whose settings have been read. */
export interface PreparedCommand {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Resolves after a clean stop; rejects with StartupError for bad input, with any other error for a failure. */
  run(environment: Environment): Promise<void>;
}

/** One command of the program: all that flags, help and start follow from. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly settings: SettingsTable;
  /** Reads the settings. @throws StartupError with every problem at once */
  prepare(
    commandLine: CommandLineSettings,
    readFile: (path: string) => Promise<string>,
  ): Promise<PreparedCommand>;
}

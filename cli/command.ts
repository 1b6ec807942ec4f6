import type { LogFormat, LogLevel } from '../shared/log/create-logger.ts';
import type { ProcessEnvironment } from '../shared/process-environment.ts';
import type { SettingsTable, SettingValues } from '../shared/settings/setting.ts';
import { type CommandLineSettings, readSettings } from './settings/read-settings.ts';

/** A command whose settings have been read. */
export interface PreparedCommand {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Resolves after a clean stop; rejects with StartupError for bad input, with any other error for a failure. */
  run(environment: ProcessEnvironment): Promise<void>;
}

/** One command of the program: all that flags, help and start follow from. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Flags with which it can be tried. */
  readonly example: string;
  readonly settings: SettingsTable;
  /** Reads the settings. @throws StartupError with every problem at once */
  prepare(
    commandLine: CommandLineSettings,
    readFile: (path: string) => Promise<string>,
  ): Promise<PreparedCommand>;
}

/** A command that runs a part of the program with the settings of its table. */
export function commandOf<
  Table extends SettingsTable,
  Settings extends { readonly logLevel: LogLevel; readonly logFormat: LogFormat },
>(
  named: Pick<Command, 'name' | 'summary' | 'example'>,
  part: {
    readonly table: Table;
    readonly settings: (values: SettingValues<Table>) => Settings;
    /** Called when it runs, so that help and bad settings are answered without loading a Kubernetes client. */
    readonly load: () => Promise<(settings: Settings, environment: ProcessEnvironment) => Promise<void>>;
  },
): Command {
  return {
    ...named,
    settings: part.table,
    async prepare(commandLine, readFile) {
      const settings = part.settings(await readSettings(part.table, commandLine, readFile));
      return {
        logLevel: settings.logLevel,
        logFormat: settings.logFormat,
        async run(environment) {
          const run = await part.load();
          await run(settings, environment);
        },
      };
    },
  };
}

import type { SettingsTable, SettingValues } from '../../shared/settings/setting.ts';
import { StartupError } from '../../shared/settings/startup-error.ts';
import { checkSettings } from './check-settings.ts';
import { type ConfigFile, parseConfigFile } from './config-file.ts';
import { type GivenSetting, quoted } from './given-setting.ts';
import { mergeSettings } from './merge-settings.ts';

/** What the user gave on the command line. */
export interface CommandLineSettings {
  /** In the order of the command line. */
  readonly flags: readonly GivenSetting[];
  /** The value of `--config`. */
  readonly configPath?: string | undefined;
  /** What was found wrong already: unknown flags and the like. It is reported with the rest. */
  readonly problems: readonly string[];
}

/**
 * Merges flags, file and defaults, checks all, and yields the values of the table's settings, frozen.
 *
 * @param readFile yields the content of a text file
 * @throws StartupError with every problem at once
 */
export async function readSettings<Table extends SettingsTable>(
  table: Table,
  commandLine: CommandLineSettings,
  readFile: (path: string) => Promise<string>,
): Promise<SettingValues<Table>> {
  const file = await readConfigFile(commandLine.configPath, readFile);
  const given = mergeSettings(table, file.settings ?? [], commandLine.flags);
  const problems = [
    ...commandLine.problems,
    ...file.problems,
    ...checkSettings({ table, given, complete: file.settings !== undefined }),
  ];
  if (problems.length > 0) {
    throw new StartupError(problems);
  }
  const values: Readonly<Record<string, unknown>> = Object.fromEntries(
    Object.keys(table).map((key) => [key, parsed(table, given.get(key), key)]),
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Sound: every value was made by the parser of its own key, and a missing required one was a problem.
  return Object.freeze(values as SettingValues<Table>);
}

async function readConfigFile(
  path: string | undefined,
  readFile: (path: string) => Promise<string>,
): Promise<ConfigFile> {
  if (path === undefined) {
    return { settings: [], problems: [] };
  }
  try {
    return parseConfigFile(path, await readFile(path));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return {
      settings: undefined,
      problems: [`--config is ${quoted(path)}, but must be a file that can be read (${code}).`],
    };
  }
}

function parsed(table: SettingsTable, given: GivenSetting | undefined, key: string): unknown {
  const text = typeof given?.value === 'object' ? given.value.text : table[key]?.default;
  const value = text === undefined ? undefined : table[key]?.type.parse(text)?.value;
  return typeof value === 'object' ? Object.freeze(value) : value;
}

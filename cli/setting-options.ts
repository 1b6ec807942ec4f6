import { type Command as Commander, Option } from 'commander';
import { flagOf, type Setting, type SettingsTable } from '../shared/settings/setting.ts';
import { filePath } from '../shared/settings/value-type.ts';
import type { GivenSetting } from './settings/given-setting.ts';

/** The flag that names the YAML file. It is no setting of the file. */
export const configFlag = '--config';

/** What commander has seen of our flags, in the order of the command line. */
export interface SeenFlags {
  readonly settings: GivenSetting[];
  /** Values of `--config`; undefined where it had none. */
  readonly configPaths: (string | undefined)[];
}

/**
 * Gives a commander command one option for every setting, and `--config`. Values are declared as optional although
 * they are not: commander stops at the first missing value, and we report all problems at once.
 */
export function addSettingOptions(command: Commander, table: SettingsTable): SeenFlags {
  const seen: SeenFlags = { settings: [], configPaths: [] };
  for (const [key, setting] of Object.entries(table).filter(([, { fileOnly }]) => fileOnly !== true)) {
    command.addOption(new Option(`${flagOf(key)} [${setting.placeholder}]`, describe(setting, table)));
    command.on(`option:${flagOf(key).slice(2)}`, (value: string | null) => {
      const text = value ?? (setting.type.json === 'boolean' ? 'true' : undefined);
      seen.settings.push({ key, value: text === undefined ? 'nothing' : { text } });
    });
  }
  const fileOnly = Object.keys(table).filter((key) => table[key]?.fileOnly);
  const more = fileOnly.length === 0 ? '' : ` Only the file can have ${fileOnly.join(', ')}.`;
  const description = `YAML file with the same settings in camelCase, such as "clusterName: NAME". A flag wins over the file.${more}`;
  command.addOption(new Option(`${configFlag} [FILE]`, description));
  command.on(`option:${configFlag.slice(2)}`, (value: string | null) => {
    seen.configPaths.push(value ?? undefined);
  });
  return seen;
}

function describe(setting: Setting<unknown>, table: SettingsTable): string {
  const { description, type, exactlyOneOf } = setting;
  const group = Object.keys(table).filter((key) => table[key]?.exactlyOneOf === exactlyOneOf);
  const notes = [
    ...(setting.required ? ['required'] : []),
    ...(exactlyOneOf === undefined ? [] : [`required: ${group.map(flagOf).join(' or ')}`]),
    ...(setting.default === undefined ? [] : [`default ${setting.default}`]),
  ];
  // A path and a switch need no words.
  const allowed = type === filePath || type.json === 'boolean' ? '' : ` It is ${type.allowed}.`;
  return `${description}${allowed}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
}

import { nearestName } from '../shared/nearest-name.ts';
import { quoted } from './settings/given-setting.ts';

/**
 * One sentence for each argument that commander could not place: unknown flags, with the nearest known one, and words.
 * A word right behind an unknown flag is taken for that flag's value.
 *
 * @param flags the known flags with their dashes
 */
export function strayArguments(
  commandName: string,
  stray: readonly string[],
  flags: readonly string[],
): readonly string[] {
  const sentences = stray.flatMap((argument, index) => {
    if (isFlag(argument)) {
      return [unknownFlag(commandName, argument.split('=', 1)[0] ?? argument, flags)];
    }
    const before = stray[index - 1] ?? '';
    const isValue = isFlag(before) && !before.includes('=');
    return isValue ? [] : [`${quoted(argument)} is not expected: ${commandName} takes flags only.`];
  });
  return [...new Set(sentences)];
}

function unknownFlag(commandName: string, name: string, flags: readonly string[]): string {
  if (flags.includes(name)) {
    return `${name} takes no value.`;
  }
  const nearest = nearestName(name, flags);
  const advice =
    nearest === undefined ? `${commandName} --help lists its flags.` : `did you mean ${nearest}?`;
  return `${/^[\w-]+$/.test(name) ? name : quoted(name)} is not a flag of ${commandName}: ${advice}`;
}

function isFlag(argument: string): boolean {
  return argument.length > 1 && argument.startsWith('-');
}

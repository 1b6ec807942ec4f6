import { Command as Commander, CommanderError } from 'commander';
import { nearestName } from '../shared/nearest-name.ts';
import { flagOf } from '../shared/settings/setting.ts';
import type { Command } from './command.ts';
import { addSettingOptions, configFlag, type SeenFlags } from './setting-options.ts';
import type { CommandLineSettings } from './settings/read-settings.ts';
import { strayArguments } from './stray-arguments.ts';

export const programName = 'context-syncer';

/** What a command line asks for. */
export type CommandLine =
  | { readonly ask: 'run'; readonly command: Command; readonly given: CommandLineSettings }
  /** Help or version, asked for. */
  | { readonly ask: 'text'; readonly text: string }
  | { readonly ask: 'nothing known'; readonly problems: readonly string[] };

/**
 * Reads the arguments behind the program's name. Settings are not checked yet; flags that do not exist are among
 * the problems of what is given, so that they are reported together with bad values.
 */
export function readCommandLine(
  args: readonly string[],
  commands: readonly Command[],
  version: string,
): CommandLine {
  let result: CommandLine | undefined;
  let output = '';
  const program = tolerant(new Commander(programName))
    .description('Copies annotated ConfigMaps and Secrets across Kubernetes clusters.')
    .usage('COMMAND [flags]')
    .version(version, '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [COMMAND]', 'Print the help of a command.')
    .addHelpText('after', `\n"${programName} COMMAND --help" lists the flags of a command.`)
    .configureOutput({
      writeOut: (text) => {
        output += text;
      },
      writeErr: (text) => {
        output += text;
      },
    })
    .exitOverride()
    .action(() => {
      result = { ask: 'nothing known', problems: withoutCommand(program.args, commands) };
    });
  for (const command of commands) {
    const subcommand = tolerant(program.command(command.name)).summary(command.summary);
    subcommand.description(command.summary).usage('[flags]').helpOption('-h, --help', 'Print this help.');
    subcommand.addHelpText('after', `\nExample:\n  ${programName} ${command.name} ${command.example}`);
    const seen = addSettingOptions(subcommand, command.settings);
    subcommand.action(() => {
      result = { ask: 'run', command, given: givenSettings(command, seen, subcommand.args) };
    });
  }
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      throw error;
    }
    // Any other status than 0 is `help` for what is not a command: all else that commander could refuse is tolerated.
    return error.exitCode === 0
      ? { ask: 'text', text: output }
      : { ask: 'nothing known', problems: withoutCommand(args.slice(1), commands) };
  }
  return result ?? { ask: 'text', text: output };
}

/** Leaves unknown flags and words to us: commander would stop at the first. */
function tolerant(command: Commander): Commander {
  return command
    .allowUnknownOption()
    .allowExcessArguments()
    .configureHelp({
      // The brackets of a declaration say that the value is optional, which is only true of true|false.
      optionTerm: ({ flags }) => (flags.endsWith('[true|false]') ? flags : flags.replace(/[[\]]/g, '')),
      subcommandTerm: (subcommand) => subcommand.name(),
      showGlobalOptions: false,
    });
}

function givenSettings(command: Command, seen: SeenFlags, stray: readonly string[]): CommandLineSettings {
  const keys = Object.keys(command.settings).filter((key) => command.settings[key]?.fileOnly !== true);
  const flags = [...keys.map(flagOf), configFlag, '--help', '--version'];
  const configPath = seen.configPaths.at(-1);
  const withoutPath = seen.configPaths.length > 0 && (configPath === undefined || configPath === '');
  return {
    flags: seen.settings,
    configPath: withoutPath ? undefined : configPath,
    problems: [
      ...strayArguments(`${programName} ${command.name}`, stray, flags),
      ...(withoutPath ? [`${configFlag} has no value, but must be the path of a YAML file.`] : []),
    ],
  };
}

function withoutCommand(args: readonly string[], commands: readonly Command[]): readonly string[] {
  const names = commands.map(({ name }) => name);
  const [first] = args;
  if (first === undefined) {
    return [`a command is missing: it must be ${names.join(' or ')}.`];
  }
  if (first.startsWith('-')) {
    return [`${first} is not a flag of ${programName}: flags come after the command, ${names.join(' or ')}.`];
  }
  const nearest = nearestName(first, names);
  const advice = nearest === undefined ? `the commands are ${names.join(', ')}.` : `did you mean ${nearest}?`;
  return [`"${first}" is not a command of ${programName}: ${advice}`];
}

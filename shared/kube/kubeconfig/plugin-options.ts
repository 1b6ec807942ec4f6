/** An `exec` entry. `args` and `env` are empty where it has none. */
export interface ExecEntry {
  readonly apiVersion: string | undefined;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly provideClusterInfo: boolean;
  readonly interactiveMode: string | undefined;
}

/** How a tool's command line may look. */
export interface CommandForm {
  /** For messages: `aws eks get-token`. */
  readonly tool: string;
  /** The words that are no options, in their order. */
  readonly words: readonly string[];
  /** Every spelling of an option, with the name under which its value is wanted. */
  readonly options: ReadonlyMap<string, string>;
  /** Options without a value, which change nothing here. */
  readonly ignoredSwitches?: readonly string[];
  /** Variables, with the name of the option that they stand for; `ignored` for those that change nothing here. */
  readonly variables: ReadonlyMap<string, string>;
}

/** The name of an option whose value does not matter. */
export const ignored = 'ignored';

/**
 * The values of a command line and its variables, by name; options go before variables. Anything that the form does not know is a
 * problem that names it, without its value: guessing at an option could mean another identity.
 */
export function readCommandForm(
  form: CommandForm,
  args: readonly string[],
  env: ReadonlyMap<string, string>,
  problems: string[],
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const words: string[] = [];
  const rest = args.values();
  for (const argument of rest) {
    if (!argument.startsWith('-')) {
      words.push(argument);
      continue;
    }
    const [spelling = '', ...inline] = argument.split('=');
    const name = form.options.get(spelling);
    if (form.ignoredSwitches?.includes(argument) === true) {
      continue;
    }
    if (name === undefined) {
      problems.push(unknown(form, 'option', spelling));
      // What follows may be its value.
      return values;
    }
    const value = inline.length > 0 ? inline.join('=') : rest.next().value;
    if (value === undefined || value === '') {
      problems.push(`${form.tool}: the option ${spelling} has no value`);
    } else if (name !== ignored && values.has(name)) {
      problems.push(`${form.tool}: the option ${spelling} is given more than once`);
    } else {
      values.set(name, value);
    }
  }
  if (words.join(' ') !== form.words.join(' ')) {
    problems.push(`${form.tool}: only the command ${form.words.join(' ')} is understood`);
  }
  for (const [variable, value] of env) {
    const name = form.variables.get(variable);
    if (name === undefined) {
      problems.push(unknown(form, 'variable', variable));
    } else if (!values.has(name) && value !== '') {
      values.set(name, value);
    }
  }
  return values;
}

function unknown({ tool }: CommandForm, what: string, name: string): string {
  return `${tool}: the ${what} ${quotedName(name)} is not understood here: take it out, or allow the plugin itself with --allow-exec`;
}

/** A name from a kubeconfig for a message: in quotes, at most 100 characters, control characters escaped. */
export function quotedName(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

import { nearestName } from '../nearest-name.ts';
import type { Rule } from './subject.ts';

/** As many names as a person still reads; a kubeconfig can hold hundreds, and an annotation tens of thousands. */
const namesShown = 10;
/** Characters of a name that are looked at: whoever may annotate an object chooses it, and an annotation holds 256 KiB. */
const longestName = 253;

/** Every name must be a context of the kubeconfig in use. */
export const knownContext: Rule = ({ list }, { catalog }) => {
  const known = [...catalog.contexts.keys()];
  const unknown = list.names.filter((name) => !catalog.contexts.has(name));
  const told = unknown.slice(0, namesShown).map((name) => ({
    reason: 'UnknownContext' as const,
    stops: 'contexts' as const,
    message: `Context "${cut(name)}" is unknown${suggestion(name, known)}; known contexts are: ${enumerate(known)}.`,
    contexts: [name],
  }));
  const rest = unknown.slice(namesShown);
  return rest.length === 0
    ? told
    : [
        ...told,
        {
          reason: 'UnknownContext',
          stops: 'contexts',
          message: `${rest.length} more contexts of the list are unknown.`,
          contexts: rest,
        },
      ];
};

function cut(name: string): string {
  return name.length > longestName ? `${name.slice(0, longestName)}…` : name;
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = name.length > longestName ? undefined : nearestName(name, known);
  return nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
}

function enumerate(names: readonly string[]): string {
  if (names.length === 0) {
    return 'none';
  }
  const shown = names
    .slice(0, namesShown)
    .map((name) => `"${name}"`)
    .join(', ');
  return names.length > namesShown ? `${shown} and ${names.length - namesShown} more` : shown;
}

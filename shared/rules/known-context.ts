import { nearestName } from '../nearest-name.ts';
import type { Rule } from './subject.ts';

/** As many names as a person still reads; a kubeconfig can hold hundreds. */
const namesShown = 10;

/** Every name must be a context of the kubeconfig in use. */
export const knownContext: Rule = ({ list }, { catalog }) => {
  const known = [...catalog.contexts.keys()];
  return list.names
    .filter((name) => !catalog.contexts.has(name))
    .map((name) => ({
      reason: 'UnknownContext' as const,
      message: `Context "${name}" is unknown${suggestion(name, known)}; known contexts are: ${enumerate(known)}.`,
      contexts: [name],
    }));
};

function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
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

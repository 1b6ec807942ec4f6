import { NearestNames } from '../nearest-name.ts';
import { openContexts } from './allowed-context.ts';
import { enumerateNames, longestName, quotedNames } from './name-list.ts';
import type { Rule } from './subject.ts';

/** Every name must be a context of the kubeconfig in use. */
export const knownContext: Rule = (subject, { catalog }) => {
  const unknown = subject.list.names.filter((name) => !catalog.contexts.has(name));
  if (unknown.length === 0) {
    return [];
  }
  const open = openContexts(subject, catalog);
  const nearest = new NearestNames(open, { plainNames: catalog.plainNames });
  const suggestion = (name: string): string => {
    const meant = name.length > longestName ? undefined : nearest.of(name);
    return meant === undefined ? '' : ` (did you mean "${meant}"?)`;
  };
  const [only] = unknown;
  const what =
    only !== undefined && unknown.length === 1
      ? `Context ${quotedNames(unknown)} is unknown${suggestion(only)}`
      : `Contexts ${quotedNames(unknown, suggestion)} are unknown`;
  return [
    {
      reason: 'UnknownContext',
      stops: 'contexts',
      message: `${what}; known contexts are: ${enumerateNames(open)}.`,
      contexts: unknown,
    },
  ];
};

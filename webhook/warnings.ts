import type { Catalog } from '../shared/catalog/catalog.ts';
import type { Keys } from '../shared/keys.ts';
import type { Subject } from '../shared/rules/subject.ts';

/** What the Kubernetes documentation recommends at most for one warning, in characters. */
const maxCharacters = 120;
/** For a warning that says what to do. The API server may cut longer ones. */
const maxProblemCharacters = 256;
/** The API server drops warnings beyond 4096 characters in all. */
const maxWarnings = 20;

/** For an object with Kubed's annotation for copies within one cluster. The prefix is left out where it is too long. */
export function syncIgnored({ sync }: Keys): string {
  const said = `${sync} is not acted upon: no copies are made within this cluster.`;
  return said.length <= maxCharacters ? said : said.slice(said.indexOf('/') + 1);
}

/**
 * What is worth knowing about a list, and no reason to refuse it. Each is at most 120 characters long, or 256 where it says
 * what to do. Nothing is said about contexts that the object may not use.
 */
export function warningsOf(subject: Subject, catalog: Catalog): readonly string[] {
  const { list } = subject;
  const open = list.names.filter(
    (name) => catalog.contexts.has(name) && catalog.policies?.allow(name, subject) !== false,
  );
  const warnings = [
    ...list.repeated.map((name) => sentence(name, 'is listed more than once; it counts once.')),
    ...open.flatMap((name) => availability(name, catalog) ?? []),
  ];
  return warnings.length <= maxWarnings
    ? warnings
    : [
        ...warnings.slice(0, maxWarnings - 1),
        `${warnings.length - maxWarnings + 1} more warnings are not shown.`,
      ];
}

function availability(name: string, { contexts }: Catalog): string | undefined {
  const context = contexts.get(name);
  if (context?.unreachableSince !== undefined) {
    const since = new Date(context.unreachableSince).toISOString().slice(0, 16);
    return sentence(name, `is unreachable since ${since}Z; its copy follows when it answers.`);
  }
  return context?.problem === undefined ? undefined : unusable(name, context.problem);
}

function unusable(name: string, problem: string): string {
  const warning = `${sentence(name, 'cannot be used at present:')} ${problem.replace(/\p{C}/gu, ' ')}.`;
  return warning.length <= maxProblemCharacters
    ? warning
    : `${warning.slice(0, maxProblemCharacters - 1).toWellFormed()}…`;
}

/** Long names lose their middle: their ends distinguish them. */
function sentence(name: string, predicate: string): string {
  const printable = name.replace(/\p{C}/gu, ' ');
  const room = maxCharacters - `Context "" ${predicate}`.length;
  const half = Math.floor((room - 1) / 2);
  const shown =
    printable.length <= room ? printable : `${printable.slice(0, half)}…${printable.slice(-half)}`;
  // The cut may have gone through a pair of surrogates.
  return `Context "${shown.toWellFormed()}" ${predicate}`;
}

import type { Catalog, CatalogContext } from '../catalog/catalog.ts';
import { enumerateNames, quotedNames } from './name-list.ts';
import type { Rule, Subject } from './subject.ts';

/** The policies must allow every context of the list for the object's namespace and kind. */
export const allowedContext: Rule = (subject, { catalog }) => {
  const { list, kind, namespace } = subject;
  const names = list.names.filter(
    (name) => catalog.contexts.has(name) && catalog.policies?.allow(name, subject) === false,
  );
  if (names.length === 0) {
    return [];
  }
  // The rule about unknown names has the same list in its message.
  const listed = list.names.some((name) => !catalog.contexts.has(name));
  const allowed = listed ? '' : ` Allowed contexts are: ${enumerateNames(openContexts(subject, catalog))}.`;
  return [
    {
      reason: 'ContextNotAllowed',
      stops: 'contexts',
      message: `The policies do not allow ${names.length === 1 ? 'context' : 'contexts'} ${quotedNames(names)} for ${kind}s of namespace "${namespace}"; remove ${names.length === 1 ? 'it' : 'them'} from the list.${allowed}`,
      contexts: names,
    },
  ];
};

/** The names of all contexts that the object may use: no others are shown to its owner. */
export function openContexts(
  subject: Pick<Subject, 'namespace' | 'kind'>,
  catalog: Catalog,
): readonly string[] {
  return [...catalog.contexts.values()]
    .filter((context) => isOpen(context, subject, catalog))
    .map(({ name }) => name);
}

function isOpen(
  { name, isSource }: CatalogContext,
  subject: Pick<Subject, 'namespace' | 'kind'>,
  { policies }: Catalog,
): boolean {
  return !isSource && policies?.allow(name, subject) !== false;
}

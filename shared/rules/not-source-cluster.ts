import type { Rule } from './subject.ts';

/**
 * The cluster that the source lives in is never a target: a copy there could overwrite its own source. Of a context that the
 * policies do not allow, only that is said.
 */
export const notSourceCluster: Rule = (subject, { catalog }) =>
  subject.list.names
    .filter(
      (name) =>
        catalog.contexts.get(name)?.isSource === true && catalog.policies?.allow(name, subject) !== false,
    )
    .map((name) => ({
      reason: 'SourceCluster' as const,
      stops: 'contexts' as const,
      message: `Context "${name}" is the cluster that this object lives in, which is never a target; remove it from the list.`,
      contexts: [name],
    }));

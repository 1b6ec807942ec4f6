import { quotedNames } from './name-list.ts';
import type { Rule } from './subject.ts';

/** Two contexts of one cluster in one list would be two names for one copy, or two copies where one was meant. */
export const distinctClusters: Rule = (subject, { catalog }) => {
  const byCluster = new Map<string, string[]>();
  for (const name of subject.list.names) {
    const context = catalog.contexts.get(name);
    if (context === undefined || context.isSource || catalog.policies?.allow(name, subject) === false) {
      continue;
    }
    const members = byCluster.get(context.cluster) ?? [];
    members.push(name);
    byCluster.set(context.cluster, members);
  }
  return [...byCluster.values()]
    .filter((members) => members.length > 1)
    .map((members) => ({
      reason: 'SameCluster' as const,
      stops: 'creation' as const,
      message: `Contexts ${quotedNames(members)} are the same cluster${serverOf(members[0], catalog.contexts)}; keep one of them.`,
      contexts: members,
    }));
};

function serverOf(
  name: string | undefined,
  contexts: ReadonlyMap<string, { readonly server?: string | undefined }>,
): string {
  const server = name === undefined ? undefined : contexts.get(name)?.server;
  return server === undefined ? '' : ` (${server})`;
}

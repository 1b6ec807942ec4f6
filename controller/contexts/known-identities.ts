import type { Catalog, CatalogContext } from '../../shared/catalog/catalog.ts';

/**
 * The catalog with what an earlier one knew of the clusters that have not said yet who they are. Without it a restart
 * would unlearn which contexts are one cluster, or the source, until each was reached again; for one that is down, until
 * it comes back. An identity is taken over only where name, server and namespace are those of before, and where no
 * context that was reached speaks for the cluster. Contexts that are one cluster by their address then share it.
 */
export function withKnownIdentities(catalog: Catalog, earlier: Catalog): Catalog {
  const all = [...catalog.contexts.values()];
  const told = new Set(all.filter(({ identified }) => identified).map(({ cluster }) => cluster));
  const known = new Map<string, CatalogContext>();
  for (const context of all) {
    const before = earlier.contexts.get(context.name);
    const unsaid = !context.isSource && !told.has(context.cluster);
    if (unsaid && before?.identified === true && isSameWay(before, context)) {
      known.set(context.cluster, before);
    }
  }
  return {
    ...catalog,
    contexts: new Map(
      all.map((context) => {
        const before = known.get(context.cluster);
        return [
          context.name,
          before === undefined
            ? context
            : { ...context, identified: true, cluster: before.cluster, isSource: before.isSource },
        ];
      }),
    ),
  };
}

function isSameWay(left: CatalogContext, right: CatalogContext): boolean {
  return left.server === right.server && left.namespace === right.namespace;
}

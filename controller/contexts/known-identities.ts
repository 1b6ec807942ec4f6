import type { Catalog, CatalogContext } from '../../shared/catalog/catalog.ts';

/**
 * The catalog with what an earlier one knew of the clusters that have not said yet who they are. Without it a restart
 * would unlearn which contexts are one cluster, or the source, until each was reached again; for one that is down, until
 * it comes back. An identity is taken over only where name, server and namespace are those of before.
 */
export function withKnownIdentities({ contexts }: Catalog, earlier: Catalog): Catalog {
  return {
    contexts: new Map(
      [...contexts].map(([name, context]) => [name, withKnownIdentity(context, earlier.contexts.get(name))]),
    ),
  };
}

function withKnownIdentity(context: CatalogContext, earlier: CatalogContext | undefined): CatalogContext {
  return !context.identified &&
    earlier?.identified === true &&
    earlier.server === context.server &&
    earlier.namespace === context.namespace
    ? { ...context, identified: true, cluster: earlier.cluster, isSource: earlier.isSource }
    : context;
}

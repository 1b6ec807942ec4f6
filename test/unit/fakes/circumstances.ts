import type { Catalog, CatalogContext } from '../../../shared/catalog/catalog.ts';
import { keysOf } from '../../../shared/keys.ts';
import type { Circumstances } from '../../../shared/rules/subject.ts';

export const keys = keysOf('kubed.appscode.com');
/** The namespace of the installation. */
export const ownNamespace = 'context-syncer';

/** A usable, identified context of a cluster of its own. */
export function aContext(name: string, over: Partial<CatalogContext> = {}): CatalogContext {
  return {
    name,
    server: `https://${name}.example:6443`,
    cluster: `cluster-${name}`,
    identified: true,
    settling: false,
    isSource: false,
    ...over,
  };
}

export function aCatalog(...contexts: readonly CatalogContext[]): Catalog {
  return { contexts: new Map(contexts.map((context) => [context.name, context])) };
}

/** What rules judge against: these contexts, and the rest as usual. */
export function circumstancesOf(...contexts: readonly CatalogContext[]): Circumstances {
  return { keys, ownNamespace, catalog: aCatalog(...contexts) };
}

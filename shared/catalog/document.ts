import { isRecord } from '../is-record.ts';
import { plainName } from '../nearest-name.ts';
import type { Catalog, CatalogContext } from './catalog.ts';
import { documentSettings, settingsOf } from './catalog-settings.ts';
import {
  type CatalogDocument,
  compileDocumentSchema,
  type DocumentContext,
  describeSchemaError,
  documentVersion,
} from './document-schema.ts';

/** The ConfigMap in the program's own namespace that carries the catalog from the controller to the webhook. */
export const catalogConfigMapName = 'context-syncer-catalog';
/** The key of its data that holds the document. */
export const catalogKey = 'catalog.json';

/** Problems beyond this many say nothing new. */
const maxProblems = 20;

/** A text that is no catalog. Each problem is one clause, without anything of the text's values. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

/**
 * The catalog as it is published. Equal catalogs give equal texts, whatever order their contexts are in, so that a text
 * which is there already need not be written again. Only the fields named here are taken: a credential that found its
 * way into a context would not get out by this door.
 */
export function formatCatalog(catalog: Catalog): string {
  const contexts = [...catalog.contexts.values()]
    .toSorted((left, right) => (left.name < right.name ? -1 : Number(left.name > right.name)))
    .map(documentContext);
  const document: CatalogDocument = { version: documentVersion, ...documentSettings(catalog), contexts };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** Reads a published catalog. Fields that this version does not know are ignored. @throws CatalogError with every problem */
export function parseCatalog(text: string): Catalog {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new CatalogError(['it is not JSON']);
  }
  if (
    isRecord(document) &&
    typeof document['version'] === 'number' &&
    document['version'] > documentVersion
  ) {
    throw new CatalogError([
      `it has version ${document['version']}, and this program reads version ${documentVersion}: upgrade the program`,
    ]);
  }
  const validate = compileDocumentSchema();
  if (!validate(document)) {
    throw new CatalogError((validate.errors ?? []).slice(0, maxProblems).map(describeSchemaError));
  }
  const contexts = new Map(document.contexts.map((context) => [context.name, catalogContext(context)]));
  if (contexts.size < document.contexts.length) {
    throw new CatalogError(['two of its contexts have one name']);
  }
  return {
    ...settingsOf(document),
    contexts,
    plainNames: new Map([...contexts.keys()].map((name) => [name, plainName(name)])),
  };
}

function documentContext(context: CatalogContext): DocumentContext {
  const { name, server, namespace, cluster, identified, isSource, settling, unreachableSince } = context;
  // Why a cluster does not answer changes from attempt to attempt; only that it does not is worth a write.
  const problem = unreachableSince === undefined ? context.problem : undefined;
  return {
    name,
    ...(server === undefined ? {} : { server }),
    ...(namespace === undefined ? {} : { namespace }),
    cluster,
    identified,
    isSource,
    ...(settling ? { settling } : {}),
    ...(problem === undefined ? {} : { problem }),
    ...(unreachableSince === undefined ? {} : { unreachableSince: new Date(unreachableSince).toISOString() }),
  };
}

function catalogContext(context: DocumentContext): CatalogContext {
  const { name, server, namespace, cluster, identified, isSource, settling, problem, unreachableSince } =
    context;
  return {
    name,
    namespace,
    server,
    cluster,
    identified,
    settling: settling ?? false,
    isSource,
    problem,
    unreachableSince: unreachableSince === undefined ? undefined : Date.parse(unreachableSince),
  };
}

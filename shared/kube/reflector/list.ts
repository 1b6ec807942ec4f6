import type { KubeClient, Shape } from '../client.ts';
import { TransportError } from '../errors.ts';
import type { KubeObject } from '../object.ts';
import type { Resource } from '../resource.ts';

export interface FinishedList<S> {
  readonly items: readonly S[];
  /** Where a watch that continues this list must start. */
  readonly resourceVersion: string;
}

export interface ListAllOptions<T extends KubeObject, S> {
  readonly client: Pick<KubeClient, 'list'>;
  readonly resource: Resource;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly shape: Shape;
  readonly pageSize: number;
  readonly signal: AbortSignal;
  /** What is kept of an object; undefined drops it. */
  readonly project: (object: T) => S | undefined;
  /** A page arrived. */
  readonly onPage: () => void;
}

/**
 * Reads a collection page by page. It resolves only with a complete list: a page that fails, an expired continue
 * token included, rejects, and what earlier pages gave is lost with the stack frame.
 *
 * The resourceVersion is the first page's. Usually all pages carry the same one, the snapshot's. Where a server
 * answers a later page from newer state, only a watch from the first page's version also shows what changed behind
 * the pages already read; from a later one those changes would be lost for good.
 */
export async function listAll<T extends KubeObject, S>(
  options: ListAllOptions<T, S>,
): Promise<FinishedList<S>> {
  const items: S[] = [];
  let first: string | undefined;
  let token: string | undefined;
  do {
    const page = await options.client.list<T>(options.resource, {
      namespace: options.namespace,
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      limit: options.pageSize,
      continue: token,
      shape: options.shape,
      signal: options.signal,
    });
    options.onPage();
    first ??= page.metadata.resourceVersion;
    // Version 0 would let the watch start from any state of any server's cache.
    if (first === undefined || first === '' || first === '0') {
      throw new TransportError('MalformedAnswer', true, 'a list without a resourceVersion');
    }
    for (const object of page.items ?? []) {
      const kept = options.project(object);
      if (kept !== undefined) items.push(kept);
    }
    token = page.metadata.continue;
  } while (token !== undefined && token !== '');
  return { items, resourceVersion: first };
}

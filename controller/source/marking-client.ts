import type { KubeClient, ListOptions } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import type { Resource } from '../../shared/kube/resource.ts';
import type { KnownSource } from './known-source.ts';
import { checkTimeoutMs } from './source-identity.ts';

/**
 * The client as leader election uses it, with every answer about one object shown to the known source: its mark, the
 * Lease of this name.
 */
export function markingClient(
  client: Pick<KubeClient, 'get' | 'list' | 'create' | 'update'>,
  source: KnownSource,
  mark: string,
): Pick<KubeClient, 'get' | 'list' | 'create' | 'update'> {
  const marked = async <T extends KubeObject>(request: Promise<T>): Promise<T> => {
    const before = source.mark;
    const object = await request;
    if (object.metadata.name === mark) {
      source.seeMark(object.metadata, before);
    }
    return object;
  };
  return {
    get: (...request) => marked(client.get(...request)),
    list: async <T extends KubeObject>(resource: Resource, options: ListOptions) => {
      const before = source.mark;
      const page = await client.list<T>(resource, options);
      for (const { metadata } of page.items ?? []) {
        if (metadata.name === mark) {
          source.seeMark(metadata, before);
        }
      }
      return page;
    },
    create: (...request) => marked(client.create(...request)),
    update: (...request) => marked(client.update(...request)),
  };
}

/** Has the mark seen, where it exists. Throws what the client throws. */
export async function readMark(
  client: ReturnType<typeof markingClient>,
  { resource, namespace, name }: { resource: Resource; namespace: string; name: string },
): Promise<void> {
  try {
    await client.get(resource, namespace, name, { timeoutMs: checkTimeoutMs });
  } catch (error) {
    if (!isApiError(error, 'NotFound', 'NamespaceNotFound')) {
      throw error;
    }
  }
}

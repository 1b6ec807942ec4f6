import type { ControlPlane } from '../sandbox/sandbox.ts';
import { collectionPath, type Kind, kinds, objectPath, type Place } from './slots.ts';

type StringMap = Readonly<Record<string, string>>;

/** A ConfigMap or Secret as an API server shows it. */
export interface ApiObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: StringMap;
    readonly annotations?: StringMap;
    readonly finalizers?: readonly string[];
  };
  readonly data?: StringMap;
  readonly binaryData?: StringMap;
  readonly type?: string;
  readonly immutable?: boolean;
}

/** Longer than a request of ours may take: a server that does not answer is found out by the caller. */
const requestMs = 20_000;

/** The object; undefined where the API server says that it does not exist. */
export async function findObject(cluster: ControlPlane, place: Place): Promise<ApiObject | undefined> {
  const answer = await send<ApiObject>(cluster, 'GET', objectPath(place));
  if (answer.status === 404) {
    return undefined;
  }
  if (answer.status !== 200) {
    throw new Error(`GET ${objectPath(place)} on ${cluster.name}: ${answer.status}`);
  }
  return answer.body;
}

/** A request of the harness as admin; any status is an answer. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what the API server answers
export async function send<T = unknown>(
  cluster: ControlPlane,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: T }> {
  return await cluster.request<T>(method, path, body, {
    allowFailure: true,
    signal: AbortSignal.timeout(requestMs),
    ...(method === 'PATCH' ? { contentType: 'application/merge-patch+json' } : {}),
  });
}

export interface Listed {
  readonly kind: Kind;
  readonly object: ApiObject;
}

/** All ConfigMaps and Secrets of a cluster, or of a namespace. */
export async function listObjects(cluster: ControlPlane, namespace?: string): Promise<readonly Listed[]> {
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const path =
        namespace === undefined
          ? `/api/v1/${kind === 'ConfigMap' ? 'configmaps' : 'secrets'}`
          : collectionPath({ kind, namespace });
      const answer = await send<{ items: readonly ApiObject[] }>(cluster, 'GET', path);
      if (answer.status !== 200) {
        throw new Error(`list of ${kind} on ${cluster.name}: ${answer.status}`);
      }
      return answer.body.items.map((object) => ({ kind, object }));
    }),
  );
  return lists.flat();
}

export function placeOf({ kind, object }: Listed): Place {
  return { kind, namespace: object.metadata.namespace, name: object.metadata.name };
}

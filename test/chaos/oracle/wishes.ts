import type { ChaosContext } from '../contexts.ts';
import { ownNamespace } from '../slots.ts';
import { parseList } from './marks.ts';

/** What an annotated object asks for, under a kubeconfig. */
export interface Wishes {
  readonly names: readonly string[];
  /** Everything about it is as it should be, so that what it does not name may go. */
  readonly isValid: boolean;
  readonly asks: readonly Wish[];
  /** It names a context that does not say which cluster it is. */
  readonly namesUnknownCluster: boolean;
}

export interface Wish {
  readonly context: string;
  readonly cluster: number;
  readonly namespace: string;
  /** False where the list names several contexts of the cluster: a copy that exists is served, and none is made. */
  readonly creates: boolean;
}

/** The rules of the README about lists. */
export function wishesOf(
  source: { readonly namespace: string; readonly list: string; readonly isCopy: boolean },
  contexts: readonly ChaosContext[],
): Wishes {
  const { names, isMalformed } = parseList(source.list);
  const named = names.map((name) => contexts.find((context) => context.name === name));
  const known = named.filter((context) => context !== undefined);
  const perCluster = Map.groupBy(known, ({ cluster }) => cluster);
  const isAmbiguous = (cluster: number | undefined): boolean =>
    cluster !== undefined && cluster !== 0 && (perCluster.get(cluster)?.length ?? 0) > 1;
  const isClosed = isSystem(source.namespace) || source.isCopy || names.length === 0;
  const asks = known.flatMap(({ name, cluster, namespace = source.namespace, deniedTo }) =>
    cluster === undefined || cluster === 0 || isSystem(namespace) || deniedTo === source.namespace
      ? []
      : [{ context: name, cluster, namespace, creates: !isAmbiguous(cluster) }],
  );
  return {
    names,
    isValid:
      !isClosed &&
      !isMalformed &&
      known.length === names.length &&
      !known.some(
        ({ cluster, namespace, deniedTo }) =>
          cluster === 0 ||
          isAmbiguous(cluster) ||
          deniedTo === source.namespace ||
          (namespace !== undefined && isSystem(namespace)),
      ),
    asks: isClosed ? [] : asks,
    namesUnknownCluster: known.some(({ cluster }) => cluster === undefined),
  };
}

function isSystem(namespace: string): boolean {
  return namespace.startsWith('kube-') || namespace === ownNamespace;
}

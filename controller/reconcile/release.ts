import type { KubeObject } from '../../shared/kube/object.ts';
import type { Circumstances } from '../../shared/rules/subject.ts';
import { targetOf } from '../claims/claim.ts';
import { resolve } from '../claims/resolve.ts';
import type { CopyRecord } from '../copy/copy-record.ts';
import { type TargetRef, targetKey } from '../copy/target-ref.ts';
import { sourceRecordOf } from '../source/source-record.ts';
import type { Release } from './facts.ts';

/**
 * Whether a copy that nobody claims may go, from a live read of its source (undefined: the API server answered that
 * it does not exist).
 *
 * A list releases a copy only when it is wholly valid, none of its contexts means this object, and the context through
 * which the copy was made is no longer named: a name that is still there but now means something else was changed in
 * the kubeconfig, not by the source's owner. A listed context whose cluster has not said which one it is holds back a copy
 * that could be its own: one in its namespace, on any cluster, since its address can be a second one of that cluster.
 *
 * A copy of 0.1 does not record its own place. It may be somebody's clone, unless it is where copies are put: in its
 * source's namespace, or in that of a context of this cluster.
 */
export function releaseOf(
  target: TargetRef,
  cluster: string,
  { origin, context, placed }: Pick<CopyRecord, 'origin' | 'context' | 'placed'>,
  live: KubeObject | undefined,
  circumstances: Circumstances,
): Release {
  if (!placed && !isPlaceOfCopies(target, cluster, origin?.namespace, circumstances)) {
    return { released: false, reason: 'PlaceUnrecorded' };
  }
  if (live === undefined) {
    return { released: true, reason: 'SourceDeleted' };
  }
  const record = sourceRecordOf(target.kind, live, circumstances.keys);
  if (record === undefined) {
    return { released: true, reason: 'AnnotationRemoved' };
  }
  const { asks, violations, unidentified, names } = resolve(record, circumstances);
  const key = targetKey(target);
  const isAbout = (ask: { readonly namespace?: string | undefined }): boolean =>
    targetKey(targetOf(record, ask)) === key;
  if (asks.some((ask) => ask.cluster === cluster && isAbout(ask))) {
    return { released: false, reason: 'StillListed' };
  }
  if (violations.length > 0) {
    return { released: false, reason: 'ListInvalid' };
  }
  if (unidentified.some(isAbout)) {
    return { released: false, reason: 'ContextUnidentified' };
  }
  if (context === undefined || names.includes(context)) {
    return { released: false, reason: 'ContextMoved' };
  }
  return { released: true, reason: 'ContextDelisted' };
}

function isPlaceOfCopies(
  { namespace }: TargetRef,
  cluster: string,
  sourceNamespace: string | undefined,
  { catalog }: Circumstances,
): boolean {
  return (
    namespace === sourceNamespace ||
    [...catalog.contexts.values()].some(
      (context) => context.cluster === cluster && context.namespace === namespace,
    )
  );
}

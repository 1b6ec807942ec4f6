import type { ApiObject } from '../api-object.ts';
import type { History, SourceState } from '../history.ts';
import { type Place, placeKey } from '../slots.ts';
import { type OriginMark, originOf } from './marks.ts';
import { wishesOf } from './wishes.ts';

/** A copy that a controller took from its source: deleted, or handed to another one. */
export interface TakenCopy {
  readonly cluster: number;
  readonly place: Place;
  /** The copy as it was. */
  readonly copy: ApiObject;
  /** When that was answered; milliseconds since the Unix epoch. */
  readonly at: number;
  /** When operators released trips of the mass-deletion guard. */
  readonly releases: readonly number[];
}

/**
 * Why a copy could not be taken from its source, as a sentence; undefined where it could: at some moment since the version that
 * the copy was given, the source's owner did not ask for it.
 */
export function unjustified(taken: TakenCopy, history: History): string | undefined {
  const origin = originOf(taken.copy);
  if (origin === undefined) {
    return 'it has no origin';
  }
  const key = placeKey({ kind: taken.place.kind, namespace: origin.namespace, name: origin.name });
  const states = history.statesOf(key);
  const given = states.findIndex(
    ({ object }) => object?.uid === origin.uid && object.resourceVersion === origin.resourceVersion,
  );
  if (given < 0) {
    // It was made for a source that never was, or for one before this record begins.
    return undefined;
  }
  const since = states.slice(given).filter((state) => state.since <= taken.at);
  const letGo = since.filter((state) => lets(state, origin, taken, history));
  if (letGo.some((state) => state.cause === 'operation')) {
    return undefined;
  }
  if (letGo.length > 0) {
    const isReleased = letGo.some(({ since: from }) =>
      taken.releases.some((release) => release >= from && release <= taken.at),
    );
    return isReleased
      ? undefined
      : `its source ${key} was lost by a ${letGo[0]?.cause}, and no operator released that`;
  }
  const lists = since.map(({ object }) => object?.list);
  return `its source ${key} asked for it all the time (made by ${origin.context}; lists ${JSON.stringify(lists)})`;
}

/** Whether a source in this state lets go of a copy, under one of the kubeconfigs since. */
function lets(
  { object, since }: SourceState,
  origin: OriginMark,
  { cluster, place }: TakenCopy,
  history: History,
): boolean {
  if (object?.list === undefined) {
    return true;
  }
  const { namespace } = origin;
  const source = { namespace, list: object.list, isCopy: object.isCopy };
  return history.contextsSince(since).some((contexts) => {
    const { isValid, names, asks } = wishesOf(source, contexts);
    return (
      isValid &&
      origin.context !== undefined &&
      !names.includes(origin.context) &&
      !asks.some((ask) => ask.cluster === cluster && ask.namespace === place.namespace)
    );
  });
}

/** Whether the copy had to be deleted to be changed: a server changes neither a type nor what is immutable. */
export function isReplacement({ copy, place }: TakenCopy, history: History): boolean {
  const origin = originOf(copy);
  if (copy.immutable === true || origin === undefined) {
    return copy.immutable === true;
  }
  const states = history.statesOf(
    placeKey({ kind: place.kind, namespace: origin.namespace, name: origin.name }),
  );
  return (
    place.kind === 'Secret' && states.some(({ object }) => object !== undefined && object.type !== copy.type)
  );
}

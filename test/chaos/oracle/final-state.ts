import { type ApiObject, type Listed, placeOf } from '../api-object.ts';
import type { ChaosContext } from '../contexts.ts';
import { type Place, placeKey } from '../slots.ts';
import { differenceOf } from './equal.ts';
import { listAnnotation, originAnnotation, originOf, ownerOf } from './marks.ts';
import { type Wish, type Wishes, wishesOf } from './wishes.ts';

interface Source {
  readonly place: Place;
  readonly object: ApiObject;
  readonly wishes: Wishes;
}

/** A source that asks for one target object. */
interface Claim {
  readonly source: Source;
  readonly wish: Wish;
}

/** All clusters at one moment, and what is known of them. */
export interface State {
  readonly sources: readonly Listed[];
  readonly sourceUid: string;
  readonly takeOverUid: string | undefined;
  readonly contexts: readonly ChaosContext[];
  readonly targets: readonly TargetState[];
}

export interface TargetState {
  readonly number: number;
  readonly name: string;
  readonly objects: readonly Listed[];
  /** Foreign objects, exactly as they were left, by place. */
  readonly foreign: ReadonlyMap<string, ApiObject>;
  /** Namespaces that exist and are not being deleted. */
  readonly namespaces: ReadonlySet<string>;
}

/**
 * In what the targets differ from what the sources ask for, as sentences. None at a quiet point: every copy that should be is
 * there and equal, none that should not be, and what is foreign is exactly as it was left.
 */
export function differencesIn(state: State): readonly string[] {
  const sources = sourcesIn(state);
  return state.targets.flatMap((target) => differencesOn(state, target, sources));
}

function sourcesIn({ sources: listed, contexts }: State): ReadonlyMap<string, Source> {
  const sources = new Map<string, Source>();
  for (const one of listed) {
    const { annotations = {}, namespace } = one.object.metadata;
    const list = annotations[listAnnotation];
    if (list !== undefined) {
      const isCopy = Object.hasOwn(annotations, originAnnotation);
      const wishes = wishesOf({ namespace, list, isCopy }, contexts);
      sources.set(placeKey(placeOf(one)), { place: placeOf(one), object: one.object, wishes });
    }
  }
  return sources;
}

function differencesOn(
  state: State,
  target: TargetState,
  sources: ReadonlyMap<string, Source>,
): readonly string[] {
  const present = new Map(
    target.objects.map((one) => [placeKey(placeOf(one)), { place: placeOf(one), ...one }]),
  );
  const { namespaces } = target;
  const claims = claimsOn(target, sources);
  const problems: string[] = [];
  const say = (place: Place, problem: string): void => {
    problems.push(`${target.name} ${placeKey(place)} ${problem}`);
  };
  for (const [key, left] of target.foreign) {
    if (withoutFields(present.get(key)?.object) !== withoutFields(left)) {
      problems.push(
        `${target.name} ${key} is foreign and was changed: ${JSON.stringify(left.metadata)} became ${JSON.stringify(present.get(key)?.object.metadata)}`,
      );
    }
  }
  if (!state.contexts.some(({ cluster }) => cluster === target.number)) {
    // Nobody can be expected to change a cluster that no context leads to.
    return problems;
  }
  for (const [key, { place, claims: claimed }] of claims) {
    const isMade = claimed.some(({ wish }) => wish.creates) && namespaces.has(place.namespace);
    if (isMade && !present.has(key)) {
      say(
        place,
        `is missing; it is claimed by ${claimed.map(({ source }) => placeKey(source.place)).join()}`,
      );
    }
  }
  for (const [key, { place, object }] of present) {
    const owner = ownerOf(object, state.sourceUid, state.takeOverUid);
    const claimed = claims.get(key)?.claims ?? [];
    if (owner === 'foreign' || object.metadata.deletionTimestamp !== undefined) {
      continue;
    }
    if (owner === 'to-be-taken-over') {
      if (claimed.length > 0) {
        say(place, 'was not taken over');
      }
      continue;
    }
    const problem = problemOf(place, object, claimed, sources);
    if (problem !== undefined) {
      say(place, problem);
    }
  }
  return problems;
}

function claimsOn(
  target: TargetState,
  sources: ReadonlyMap<string, Source>,
): ReadonlyMap<string, { place: Place; claims: Claim[] }> {
  const claims = new Map<string, { place: Place; claims: Claim[] }>();
  for (const source of sources.values()) {
    for (const wish of source.wishes.asks.filter(({ cluster }) => cluster === target.number)) {
      const place = { ...source.place, namespace: wish.namespace };
      const entry = claims.get(placeKey(place)) ?? { place, claims: [] };
      entry.claims.push({ source, wish });
      claims.set(placeKey(place), entry);
    }
  }
  return claims;
}

/** What is wrong with a copy of ours. */
function problemOf(
  place: Place,
  copy: ApiObject,
  claims: readonly Claim[],
  sources: ReadonlyMap<string, Source>,
): string | undefined {
  const origin = originOf(copy);
  if (origin === undefined) {
    return undefined;
  }
  const key = placeKey({ kind: place.kind, namespace: origin.namespace, name: origin.name });
  if (labelProblem(copy) !== undefined && !claims.some(({ wish }) => wish.creates)) {
    // Copies are found by their labels. One that lost them is found by its name, when somebody would make it.
    return undefined;
  }
  const own = claims.find(({ source }) => placeKey(source.place) === key);
  if (own !== undefined) {
    const difference = differenceOf(own.source.object, copy);
    if (difference !== undefined) {
      return `differs from its source ${key} in ${difference}`;
    }
    if (origin.uid !== own.source.object.metadata.uid) {
      return `carries the uid of an earlier source ${key}`;
    }
    return labelProblem(copy);
  }
  if (mayStay(origin.context, origin.copy !== undefined, sources.get(key))) {
    return undefined;
  }
  return claims.length === 0
    ? `should not be there: its source ${key} does not ask for it (${JSON.stringify(sources.get(key)?.wishes.names)}; made by ${origin.context})`
    : `was not handed over from ${key} to ${claims.map(({ source }) => placeKey(source.place)).join(' or ')}`;
}

/** Whether a copy that its source does not ask for may stay: nothing shows that the source's owner let go of it. */
function mayStay(context: string | undefined, isPlaced: boolean, source: Source | undefined): boolean {
  if (!isPlaced) {
    return true;
  }
  if (source === undefined) {
    return false;
  }
  const { names, isValid, namesUnknownCluster } = source.wishes;
  return !isValid || namesUnknownCluster || context === undefined || names.includes(context);
}

function labelProblem({ metadata }: ApiObject): string | undefined {
  const labels = Object.keys(metadata.labels ?? {});
  const wanted = ['name', 'namespace', 'cluster'].map((name) => `kubed.appscode.com/origin.${name}`);
  return wanted.every((label) => labels.includes(label)) ? undefined : 'lacks labels of its origin';
}

/** The object as text, without the bookkeeping that an API server may rewrite. */
function withoutFields(object: ApiObject | undefined): string {
  return JSON.stringify(object, (key, value: unknown) =>
    ['managedFields', 'apiVersion', 'kind'].includes(key) ? undefined : value,
  );
}

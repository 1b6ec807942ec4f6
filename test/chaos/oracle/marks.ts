/**
 * The oracle's own reading of annotations and origins, from README.md and ARCHITECTURE.md. It imports nothing of the product:
 * what both had in common, neither could find wrong in the other.
 */
import { property } from '../../sandbox/json.ts';
import type { ApiObject } from '../api-object.ts';

const prefix = 'kubed.appscode.com/';
export const listAnnotation = `${prefix}sync-contexts`;
export const originAnnotation = `${prefix}origin`;

export interface OriginMark {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly clusterUID: string | undefined;
  readonly copy: { readonly namespace: string; readonly name: string } | undefined;
  readonly context: string | undefined;
}

/** The origin that an object carries; undefined where there is none that names a source. */
export function originOf({ metadata }: Pick<ApiObject, 'metadata'>): OriginMark | undefined {
  const text: unknown = property(metadata.annotations, originAnnotation);
  if (typeof text !== 'string') {
    return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const [namespace, name] = [field(value, 'namespace'), field(value, 'name')];
  if (Array.isArray(value) || namespace === undefined || name === undefined) {
    return undefined;
  }
  const place = property(value, 'copy');
  const [copyNamespace, copyName] = [field(place, 'namespace'), field(place, 'name')];
  return {
    namespace,
    name,
    uid: field(value, 'uid') ?? '',
    resourceVersion: field(value, 'resourceVersion') ?? '',
    clusterUID: field(value, 'clusterUID'),
    copy:
      copyNamespace === undefined || copyName === undefined
        ? undefined
        : { namespace: copyNamespace, name: copyName },
    context: field(value, 'context'),
  };
}

function field(value: unknown, key: string): string | undefined {
  const found = property(value, key);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** Whose an object on a target is. */
export type Owner = 'ours' | 'to-be-taken-over' | 'foreign';

export function ownerOf(
  object: Pick<ApiObject, 'metadata'>,
  sourceUid: string,
  takeOverUid: string | undefined,
): Owner {
  const origin = originOf(object);
  const { name, namespace } = object.metadata;
  if (origin === undefined || origin.name !== name) {
    return 'foreign';
  }
  if (origin.copy !== undefined && (origin.copy.namespace !== namespace || origin.copy.name !== name)) {
    return 'foreign';
  }
  if (origin.clusterUID === sourceUid) {
    return 'ours';
  }
  return origin.clusterUID !== undefined && origin.clusterUID === takeOverUid
    ? 'to-be-taken-over'
    : 'foreign';
}

export interface ListMark {
  readonly names: readonly string[];
  /** It holds an empty entry, or nothing at all. */
  readonly isMalformed: boolean;
}

/** What a list of contexts names. */
export function parseList(text: string): ListMark {
  const entries = text.split(',').map((entry) => entry.trim());
  const names = [...new Set(entries.filter((entry) => entry.length > 0))];
  return { names, isMalformed: entries.some((entry) => entry.length === 0) };
}

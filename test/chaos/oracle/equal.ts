import type { ApiObject } from '../api-object.ts';
import { additionPrefix } from '../content.ts';

const prefix = 'kubed.appscode.com/';
/** Keys that stay with the source, of those that sources here carry. */
const kept = [prefix, 'argocd.argoproj.io/'];

/** In what a copy differs from its source; undefined where it is as it should be. */
export function differenceOf(source: ApiObject, copy: ApiObject): string | undefined {
  const parts: readonly (readonly [string, unknown, unknown])[] = [
    ['data', sorted(source.data), sorted(copy.data)],
    ['binaryData', sorted(source.binaryData), sorted(copy.binaryData)],
    ['type', source.type, copy.type],
    ['immutable', source.immutable === true, copy.immutable === true],
    ['labels', travelling(source.metadata.labels), travelling(copy.metadata.labels)],
    ['annotations', travelling(source.metadata.annotations), travelling(copy.metadata.annotations)],
  ];
  return parts.find(([, left, right]) => JSON.stringify(left) !== JSON.stringify(right))?.[0];
}

function travelling(map: Readonly<Record<string, string>> | undefined): readonly [string, string][] {
  return sorted(map).filter(([key]) => ![...kept, additionPrefix].some((one) => key.startsWith(one)));
}

function sorted(map: Readonly<Record<string, string>> | undefined): readonly [string, string][] {
  return Object.entries(map ?? {}).toSorted(([left], [right]) => (left < right ? -1 : 1));
}

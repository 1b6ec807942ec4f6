import type { ApiObject } from './api-object.ts';
import type { ContentSpec } from './operation.ts';
import type { Kind } from './slots.ts';

/** Is in every value of every payload, so that a value that leaked is found wherever it is. */
export const payloadMark = 'chaosPayloadMark';

/** Keys under it are additions of others to a copy. */
export const additionPrefix = 'others.example/';

export interface Content {
  readonly data: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly immutable?: boolean;
}

/** The payload that a spec means. */
export function contentOf(kind: Kind, spec: ContentSpec): Content {
  const values = Array.from({ length: spec.keys }, (_, index): [string, string] => [
    `key-${index}`,
    `${payloadMark}-${spec.version}-${index}${index === 1 ? ' grüße 🦆\n' : ''}`,
  ]);
  const inBase64 = (entries: readonly [string, string][]): Record<string, string> =>
    Object.fromEntries(entries.map(([key, value]) => [key, base64(value)]));
  const binary = spec.binary ? { bytes: base64(`\u0000\u0001${payloadMark}-${spec.version}`) } : {};
  const immutable = spec.immutable ? { immutable: true } : {};
  return kind === 'Secret'
    ? { data: { ...inBase64(values), ...binary }, type: spec.type, ...immutable }
    : {
        data: Object.fromEntries(values),
        ...(spec.binary ? { binaryData: binary } : {}),
        ...immutable,
      };
}

/** Labels and annotations that the owner of a source gives it; the last annotation must not travel. */
export function metadataOf(spec: ContentSpec): {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
} {
  const numbers = Array.from({ length: spec.labels }, (_, index) => index);
  return {
    labels: Object.fromEntries(numbers.map((index) => [`team.example/l${index}`, `v${spec.version % 5}`])),
    annotations: {
      ...Object.fromEntries(numbers.map((index) => [`team.example/a${index}`, `v${spec.version % 7}`])),
      ...(spec.labels === 2 ? { 'argocd.argoproj.io/tracking-id': 'app' } : {}),
    },
  };
}

/** A label that the source gave, changed on its copy; on a copy without any, one that others add. */
export function editedLabel({
  metadata: { labels = {} },
}: Pick<ApiObject, 'metadata'>): Readonly<Record<string, string>> {
  const given = 'team.example/l0';
  return Object.hasOwn(labels, given) ? { [given]: 'edited' } : { [`${additionPrefix}y`]: 'added' };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

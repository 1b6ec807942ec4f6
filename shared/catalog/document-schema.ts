import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { type DocumentSettings, documentSettingsSchema } from './catalog-settings.ts';

/** The one version of the document that there is. Fields can be added without a new one; readers ignore what they do not know. */
export const documentVersion = 1;

/** A context as the document holds it. */
export interface DocumentContext {
  readonly name: string;
  readonly server?: string;
  readonly namespace?: string;
  readonly cluster: string;
  readonly identified: boolean;
  readonly isSource: boolean;
  readonly settling?: boolean;
  readonly problem?: string;
  /** RFC 3339, for people read the ConfigMap, too. */
  readonly unreachableSince?: string;
}

export interface CatalogDocument extends DocumentSettings {
  readonly version: typeof documentVersion;
  /** Sorted by name. */
  readonly contexts: readonly DocumentContext[];
}

const filled = { type: 'string', minLength: 1 };

const contextSchema = {
  type: 'object',
  required: ['name', 'cluster', 'identified', 'isSource'],
  properties: {
    name: filled,
    server: filled,
    namespace: filled,
    cluster: filled,
    identified: { type: 'boolean' },
    isSource: { type: 'boolean' },
    settling: { type: 'boolean' },
    problem: filled,
    unreachableSince: { type: 'string', format: 'time stamp' },
  },
};

/** Checks the shape of a parsed document, whatever its version says; reports every error. */
export function compileDocumentSchema(): ValidateFunction<CatalogDocument> {
  const ajv = new Ajv({
    allErrors: true,
    formats: { 'time stamp': (text: string) => !Number.isNaN(Date.parse(text)) },
  });
  return ajv.compile<CatalogDocument>({
    type: 'object',
    required: ['version', 'contexts'],
    properties: {
      version: { const: documentVersion },
      contexts: { type: 'array', items: contextSchema },
      ...documentSettingsSchema,
    },
  });
}

/** One clause for people, such as `contexts[2].cluster must be string`. It holds no value of the document. */
export function describeSchemaError({ instancePath, message, keyword, params }: ErrorObject): string {
  const place = instancePath
    .slice(1)
    .replace(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
  if (keyword === 'required') {
    const field = String(params['missingProperty']);
    return `${place === '' ? field : `${place}.${field}`} is missing`;
  }
  return `${place === '' ? 'the document' : place} ${message ?? 'is wrong'}`;
}

import { syncedKinds } from '../synced-kind.ts';

/** More would be generated, and make the catalog too large for a ConfigMap. */
const maxPolicies = 500;
const maxNames = 500;

/** Names, or beginnings of names with a `*` behind them. */
const patterns = {
  type: 'array',
  minItems: 1,
  maxItems: maxNames,
  items: { type: 'string', pattern: '^[^*]*\\*?$', minLength: 1, maxLength: 253 },
};

const kinds = {
  type: 'array',
  minItems: 1,
  uniqueItems: true,
  items: { enum: syncedKinds.map(({ name }) => name) },
};

/** The policies of the published catalog. Readers ignore fields that they do not know. */
export const contextPoliciesSchema = {
  type: 'array',
  maxItems: maxPolicies,
  items: {
    type: 'object',
    required: ['contexts', 'sourceNamespaces', 'kinds'],
    properties: { contexts: patterns, sourceNamespaces: patterns, kinds },
  },
};

/** The policies as a user writes them: without kinds, a policy is about all. */
export const givenPoliciesSchema = {
  type: 'array',
  maxItems: maxPolicies,
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['contexts', 'sourceNamespaces'],
    properties: { contexts: patterns, sourceNamespaces: patterns, kinds },
  },
};

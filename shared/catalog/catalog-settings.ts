import { ContextPolicies, type ContextPolicy, type PolicyDefault } from './context-policies.ts';
import { contextPoliciesSchema } from './context-policy-schema.ts';

/**
 * The settings of the controller that rules judge by. They are published with the contexts, so that the webhook judges by
 * the same ones; they do not change while the controller runs.
 */
export interface CatalogSettings {
  readonly policies: ContextPolicies;
  /** In what controller and webhook must agree; undefined in a document that does not say it. */
  readonly installation: Installation | undefined;
}

/** The same as fields of the published document. */
export interface DocumentSettings {
  readonly policies?: readonly ContextPolicy[];
  readonly policyDefault?: PolicyDefault;
  readonly installation?: Installation;
}

const filled = { type: 'string', minLength: 1 };

/** The JSON Schema of each field. */
export const documentSettingsSchema = {
  policies: contextPoliciesSchema,
  policyDefault: { enum: ['allow', 'deny'] },
  installation: {
    type: 'object',
    required: ['annotationPrefix', 'namespace'],
    properties: { annotationPrefix: filled, namespace: filled },
  },
};

/** Only the fields named here are published. */
export function documentSettings({ policies, installation }: Partial<CatalogSettings>): DocumentSettings {
  return {
    ...(installation === undefined
      ? {}
      : {
          installation: {
            annotationPrefix: installation.annotationPrefix,
            namespace: installation.namespace,
          },
        }),
    ...(policies === undefined
      ? {}
      : {
          policyDefault: policies.otherwise,
          policies: policies.policies.map(({ contexts, sourceNamespaces, kinds }) => ({
            contexts,
            sourceNamespaces,
            kinds,
          })),
        }),
  };
}

/** The settings of a document whose shape was checked. */
export function settingsOf({
  policies = [],
  policyDefault = 'allow',
  installation,
}: DocumentSettings): CatalogSettings {
  return { policies: new ContextPolicies(policies, policyDefault), installation };
}

/** The settings in which controller and webhook must agree. */
export interface Installation {
  /** Prefix of all annotations and labels. */
  readonly annotationPrefix: string;
  /** The program's own namespace on the source cluster. */
  readonly namespace: string;
}

export const installationKeys = [
  'annotationPrefix',
  'namespace',
] as const satisfies readonly (keyof Installation)[];

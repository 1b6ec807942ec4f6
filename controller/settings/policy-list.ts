import { Ajv, type ValidateFunction } from 'ajv';
import type { ContextPolicy } from '../../shared/catalog/context-policies.ts';
import { givenPoliciesSchema } from '../../shared/catalog/context-policy-schema.ts';
import { describeSchemaError } from '../../shared/catalog/document-schema.ts';
import type { ValueType } from '../../shared/settings/value-type.ts';
import { syncedKinds } from '../../shared/synced-kind.ts';

type GivenPolicy = Omit<ContextPolicy, 'kinds'> & Partial<ContextPolicy>;

/** A list of policies as JSON, which is how a list of the YAML file arrives. */
export const policyList: ValueType<readonly ContextPolicy[]> = {
  json: 'list',
  allowed:
    'a list of policies, each with contexts and sourceNamespaces (lists of names, or of beginnings with a * behind them) and, where it is not about both, kinds (ConfigMap, Secret)',
  parse(given) {
    const setting = settingOf(given);
    return compile()(setting)
      ? { value: setting.policies.map((policy) => ({ kinds: everyKind, ...policy })) }
      : undefined;
  },
  flaw(given) {
    const validate = compile();
    validate(settingOf(given));
    const [error] = validate.errors ?? [];
    // What is wrong with the list as a whole, the other sentence says.
    return error === undefined || !error.instancePath.startsWith('/policies/')
      ? undefined
      : describeSchemaError(error);
  },
};

const everyKind = syncedKinds.map(({ name }) => name);

/** Checks the list under the setting's name, so that a problem's place begins with it. */
function compile(): ValidateFunction<{ readonly policies: readonly GivenPolicy[] }> {
  return new Ajv().compile<{ readonly policies: readonly GivenPolicy[] }>({
    type: 'object',
    required: ['policies'],
    properties: { policies: givenPoliciesSchema },
  });
}

function settingOf(text: string): unknown {
  try {
    const policies: unknown = JSON.parse(text);
    return { policies };
  } catch {
    return {};
  }
}

import { dnsSubdomain, namespaceName, type ValueType } from '../../shared/settings/value-type.ts';

/** One key of a Secret. */
export interface SecretReference {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

/** The key that is read when none is named. */
const defaultKey = 'kubeconfig';

/** `NAMESPACE/NAME` or `NAMESPACE/NAME:KEY`. */
export const secretReference: ValueType<SecretReference> = {
  json: 'string',
  allowed: `NAMESPACE/NAME or NAMESPACE/NAME:KEY of a Secret (KEY is ${defaultKey} when absent)`,
  parse(given) {
    const parts = /^(?<namespace>[^/:]+)\/(?<name>[^/:]+)(?::(?<key>[-._A-Za-z0-9]{1,253}))?$/.exec(
      given,
    )?.groups;
    const namespace = namespaceName.parse(parts?.['namespace'] ?? '');
    const name = dnsSubdomain.parse(parts?.['name'] ?? '');
    if (namespace === undefined || name === undefined) {
      return undefined;
    }
    return { value: { namespace: namespace.value, name: name.value, key: parts?.['key'] ?? defaultKey } };
  },
};

import { isIP } from 'node:net';
import { commonSettings } from './common-settings.ts';
import { type ListenAddress, listenAddress } from './listen-address.ts';
import type { SettingsTable, SettingValues } from './setting.ts';
import { dnsSubdomain, filePath, type ValueType } from './value-type.ts';

/** As other addresses, but the webhook cannot be switched off. */
const servingAddress: ValueType<ListenAddress> = {
  json: 'string',
  allowed: 'HOST:PORT or :PORT with a port up to 65535 (an IPv6 address in brackets)',
  parse(given) {
    const value = listenAddress.parse(given)?.value;
    return value === undefined ? undefined : { value };
  },
};

/** DNS names and IP addresses, separated by commas. */
const servingNames: ValueType<readonly string[]> = {
  json: 'string',
  allowed: 'a comma list of DNS names and IP addresses, such as webhook.example.svc,127.0.0.1',
  parse(given) {
    const names = given.split(',').map((name) => name.trim());
    return names.every((name) => isIP(name) !== 0 || dnsSubdomain.parse(name) !== undefined)
      ? { value: [...new Set(names)] }
      : undefined;
  },
};

/** The settings of `context-syncer webhook`. */
export const webhookSettingsTable = {
  listen: {
    type: servingAddress,
    placeholder: 'ADDRESS',
    description: 'Where the API server calls the webhook, over HTTPS.',
    default: ':8443',
  },
  webhookConfiguration: {
    type: dnsSubdomain,
    placeholder: 'NAME',
    description: 'The ValidatingWebhookConfiguration that sends objects here.',
    default: 'context-syncer',
  },
  servingNames: {
    type: servingNames,
    placeholder: 'NAMES',
    description:
      'What the API server calls the webhook by. Absent: the name of Service context-syncer-webhook in the namespace.',
  },
  certDir: {
    type: filePath,
    placeholder: 'FOLDER',
    description:
      'Folder with tls.crt and tls.key from elsewhere, such as a mounted Secret of cert-manager. Absent: the webhook makes its own certificates.',
  },
  ...commonSettings,
} as const satisfies SettingsTable;

type Values = SettingValues<typeof webhookSettingsTable>;

/** Checked and frozen. Addresses are undefined where switched off, `kubeconfig` is undefined in a Pod. */
export type WebhookSettings = Omit<Values, 'servingNames'> & { readonly servingNames: readonly string[] };

/** The webhook's settings from the checked values of its table. */
export function webhookSettings(values: Values): WebhookSettings {
  return Object.freeze({
    ...values,
    servingNames: values.servingNames ?? Object.freeze([`context-syncer-webhook.${values.namespace}.svc`]),
  });
}

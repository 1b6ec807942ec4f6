import { isIP } from 'node:net';
import { commonSettings } from '../shared/settings/common-settings.ts';
import { type ListenAddress, listenAddress } from '../shared/settings/listen-address.ts';
import type { SettingsTable, SettingValues } from '../shared/settings/setting.ts';
import { StartupError } from '../shared/settings/startup-error.ts';
import { dnsSubdomain, filePath, type ValueType } from '../shared/settings/value-type.ts';

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

/** Names in client certificates, separated by commas. */
const clientNames: ValueType<readonly string[]> = {
  json: 'string',
  allowed: 'a comma list of names, such as kube-apiserver',
  parse(given) {
    const names = given.split(',').map((name) => name.trim());
    return names.every((name) => name !== '') ? { value: [...new Set(names)] } : undefined;
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
  clientCa: {
    type: filePath,
    placeholder: 'FILE',
    description:
      'CA certificates in PEM. Only clients with a certificate of one of them may connect: the API server, when it is configured to have one.',
  },
  clientName: {
    type: clientNames,
    placeholder: 'NAMES',
    description:
      'With --client-ca: the common name or a DNS name of the client certificate must be one of these. Absent: any name will do.',
  },
  ...commonSettings,
} as const satisfies SettingsTable;

type Values = SettingValues<typeof webhookSettingsTable>;

/** Checked and frozen. Addresses are undefined where switched off, `kubeconfig` is undefined in a Pod. */
export type WebhookSettings = Omit<Values, 'servingNames'> & { readonly servingNames: readonly string[] };

/** The webhook's settings from the checked values of its table. */
export function webhookSettings(values: Values): WebhookSettings {
  if (values.clientName !== undefined && values.clientCa === undefined) {
    throw new StartupError(['--client-ca is missing: --client-name means nothing without it.']);
  }
  return Object.freeze({
    ...values,
    servingNames: values.servingNames ?? Object.freeze([`context-syncer-webhook.${values.namespace}.svc`]),
  });
}

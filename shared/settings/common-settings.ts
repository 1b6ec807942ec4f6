import { listenAddress } from './listen-address.ts';
import type { SettingsTable } from './setting.ts';
import { choice, dnsSubdomain, filePath, namespaceName } from './value-type.ts';

/** Settings that mean the same in every command which serves a cluster. Spread them into the command's own table. */
export const commonSettings = {
  kubeconfig: {
    type: filePath,
    placeholder: 'FILE',
    description:
      'Kubeconfig of the source cluster; its current context is used. Absent: the ServiceAccount of the Pod that this runs in.',
  },
  namespace: {
    type: namespaceName,
    placeholder: 'NAMESPACE',
    description: 'Namespace on the source cluster for what this program keeps for itself.',
    default: 'context-syncer',
  },
  annotationPrefix: {
    type: dnsSubdomain,
    placeholder: 'PREFIX',
    description: 'Prefix of all annotations and labels, as in PREFIX/sync-contexts.',
    default: 'kubed.appscode.com',
  },
  metricsAddress: {
    type: listenAddress,
    placeholder: 'ADDRESS',
    description: 'Where /metrics is served. May be the same as the health address.',
    default: ':8080',
  },
  healthAddress: {
    type: listenAddress,
    placeholder: 'ADDRESS',
    description: 'Where /livez and /readyz are served.',
    default: ':8081',
  },
  logLevel: {
    type: choice('debug', 'info', 'warn', 'error'),
    placeholder: 'LEVEL',
    description: 'The least serious lines to be written.',
    default: 'info',
  },
  logFormat: {
    type: choice('json', 'text'),
    placeholder: 'FORMAT',
    description: 'One JSON object a line for machines, or text for people.',
    default: 'json',
  },
} as const satisfies SettingsTable;

import type { CatalogSettings } from '../../shared/catalog/catalog-settings.ts';
import { ContextPolicies, type ContextPolicy } from '../../shared/catalog/context-policies.ts';
import { commonSettings } from '../../shared/settings/common-settings.ts';
import type { SettingsTable, SettingValues } from '../../shared/settings/setting.ts';
import {
  choice,
  filePath,
  labelValue,
  namespaceUid,
  trueOrFalse,
  wholeNumber,
} from '../../shared/settings/value-type.ts';
import { allowedPlugins } from './allowed-plugins.ts';
import { policyList } from './policy-list.ts';
import { type SecretReference, secretReference } from './secret-reference.ts';

/** The most shards there can be: more than that many processes have nothing to share out. */
const maxShards = 64;

/** The settings of `context-syncer controller`. */
export const controllerSettingsTable = {
  clusterName: {
    type: labelValue,
    placeholder: 'NAME',
    description: 'Name of the source cluster. Every copy carries it as a label, so keep it for good.',
    required: true,
  },
  contextsKubeconfig: {
    type: filePath,
    placeholder: 'FILE',
    description: 'Kubeconfig whose contexts are the targets. A change is noticed without a restart.',
    exactlyOneOf: 'contexts',
  },
  contextsSecret: {
    type: secretReference,
    placeholder: 'SECRET',
    description: 'The same from a Secret on the source cluster, read and watched through its API.',
    exactlyOneOf: 'contexts',
  },
  allowExec: {
    type: allowedPlugins,
    placeholder: 'NAME=/PATH',
    description:
      'Exec plugins of the target contexts that may be run: the command that a kubeconfig names, and the program. What EKS, GKE and AKS write needs none. May be repeated.',
  },
  leaderElect: {
    type: trueOrFalse,
    placeholder: 'true|false',
    description: 'Work only while holding the Lease, so that several replicas can stand by.',
    default: 'true',
  },
  shards: {
    type: wholeNumber(1, maxShards),
    placeholder: 'NUMBER',
    description:
      'Parts that the target clusters are shared out in among the replicas, each held by one. With 1, one replica leads and the others stand by.',
    default: '1',
  },
  takeOverFromUid: {
    type: namespaceUid,
    placeholder: 'UID',
    description:
      'After the source cluster was rebuilt: uid of the old one (of its namespace kube-system). Its copies are taken over in place when a source asks for them; none is deleted.',
  },
  policies: {
    type: policyList,
    placeholder: 'LIST',
    description: 'Which namespaces may send which kinds to which contexts.',
    fileOnly: true,
  },
  policyDefault: {
    type: choice('allow', 'deny'),
    placeholder: 'allow|deny',
    description: 'For contexts that no policy of the configuration file names.',
    default: 'allow',
  },
  ...commonSettings,
} as const satisfies SettingsTable;

type Values = SettingValues<typeof controllerSettingsTable>;

/** Where the kubeconfig with the target contexts comes from. */
export type KubeconfigReference =
  | { readonly from: 'file'; readonly path: string }
  | ({ readonly from: 'secret' } & SecretReference);

/** Checked and frozen. Addresses are undefined where switched off, `kubeconfig` is undefined in a Pod. */
export type ControllerSettings = Omit<Values, 'contextsKubeconfig' | 'contextsSecret' | 'policies'> & {
  readonly contexts: KubeconfigReference;
  readonly policies: readonly ContextPolicy[];
};

/** The controller's settings from the checked values of its table. */
export function controllerSettings(values: Values): ControllerSettings {
  const { contextsKubeconfig, contextsSecret, policies, ...rest } = values;
  return Object.freeze({
    ...rest,
    contexts: Object.freeze(kubeconfigReference(contextsKubeconfig, contextsSecret)),
    policies: policies ?? Object.freeze([]),
  });
}

/** What of the settings rules judge by. */
export function catalogSettings({
  policies,
  policyDefault,
  annotationPrefix,
  namespace,
}: ControllerSettings): CatalogSettings {
  return {
    policies: new ContextPolicies(policies, policyDefault),
    installation: { annotationPrefix, namespace },
  };
}

function kubeconfigReference(
  path: string | undefined,
  secret: SecretReference | undefined,
): KubeconfigReference {
  if (secret !== undefined) {
    return { from: 'secret', ...secret };
  }
  if (path === undefined) {
    throw new TypeError('values of the controller settings were not checked');
  }
  return { from: 'file', path };
}

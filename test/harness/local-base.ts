import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { stringify } from 'yaml';
import type { ControlPlane, Sandbox } from '../sandbox/sandbox.ts';
import {
  argumentsOf,
  baseFolder,
  deploymentOf,
  type ManifestObject,
  objectOf,
  ownNamespace,
  render,
} from './manifests.ts';

const controllerName = 'context-syncer-controller';
const webhookName = 'context-syncer-webhook';
/** Of the Secret that the arguments of manifests/base name. */
const contextsSecret = 'context-syncer-contexts';
/** The log says which it has become. */
const anyPort = '127.0.0.1:0';

export interface LocalBaseOptions {
  readonly sandbox: Sandbox;
  /** For the overlay, the settings and the kubeconfigs of the two accounts. */
  readonly folder: string;
  /** Of 127.0.0.1, where the webhook is to listen. */
  readonly webhookPort: number;
  /** A folder of `manifests/` instead of the base. */
  readonly from?: string;
  /** Where it is deployed to; that of the base when absent. */
  readonly namespace?: string;
}

/**
 * manifests/base as it is, but for the webhook's Service: no pods run in a sandbox, so a port of this machine takes its
 * place. Both programs then run here, each with the arguments of its Deployment and under the token of its account.
 */
export class LocalBase {
  /** What `kubectl apply -k` takes. */
  readonly overlay: string;
  readonly #options: LocalBaseOptions;
  readonly #objects: readonly ManifestObject[];

  private constructor(options: LocalBaseOptions, overlay: string, objects: readonly ManifestObject[]) {
    this.#options = options;
    this.overlay = overlay;
    this.#objects = objects;
  }

  /** Writes the overlay; applying it is left to the caller. */
  static async prepare(options: LocalBaseOptions): Promise<LocalBase> {
    const { from = baseFolder } = options;
    const overlay = join(await realpath(options.folder), `local-${basename(from)}`);
    await mkdir(overlay);
    await writeFile(
      join(overlay, 'kustomization.yaml'),
      stringify({
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
        // kustomize takes no absolute paths.
        resources: [relative(overlay, from)],
        patches: [
          {
            target: { kind: 'ValidatingWebhookConfiguration' },
            patch: stringify([
              {
                op: 'replace',
                path: '/webhooks/0/clientConfig',
                value: { url: `https://127.0.0.1:${options.webhookPort}/validate` },
              },
            ]),
          },
        ],
      }),
    );
    return new LocalBase(options, overlay, await render(options.sandbox.source, overlay));
  }

  /**
   * The arguments of a controller; for after the overlay was applied. Health and metrics are served at the address.
   *
   * @param more YAML with settings besides those of the base
   */
  async controllerArguments(endpoint = anyPort, more = ''): Promise<readonly string[]> {
    const deployment = deploymentOf(this.#objects, controllerName);
    const settings = deployment.spec.template.spec.volumes?.[0]?.configMap?.name ?? '';
    const file = join(this.#options.folder, 'controller.yaml');
    const text = objectOf(this.#objects, 'ConfigMap', settings).data?.['controller.yaml'] ?? '';
    await writeFile(file, `${text}\n${more}`);
    return [
      ...argumentsOf(deployment, { '--config': file, ...endpoints(endpoint) }),
      `--kubeconfig=${await this.#kubeconfig(controllerName)}`,
    ];
  }

  /** The same for a webhook. */
  async webhookArguments(endpoint = anyPort): Promise<readonly string[]> {
    const address = '127.0.0.1';
    return [
      ...argumentsOf(deploymentOf(this.#objects, webhookName), {
        '--listen': `${address}:${this.#options.webhookPort}`,
        '--serving-names': address,
        ...endpoints(endpoint),
      }),
      `--kubeconfig=${await this.#kubeconfig(webhookName)}`,
    ];
  }

  async #kubeconfig(account: string): Promise<string> {
    const { sandbox, folder, namespace = ownNamespace } = this.#options;
    const token = await sandbox.source.serviceAccountToken(namespace, account);
    const file = join(folder, `${account}.kubeconfig`);
    const text = sandbox.contextsKubeconfig([{ name: 'own', cluster: sandbox.source, user: { token } }]);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }
}

/** Writes the contexts kubeconfig into the Secret from which a controller with the arguments of manifests/base takes it. */
export async function setContextsSecret(
  place: ControlPlane,
  kubeconfig: string,
  namespace = ownNamespace,
): Promise<void> {
  await place.kubectl(['apply', '-f', '-'], {
    stdin: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: contextsSecret, namespace },
      stringData: { kubeconfig },
    }),
  });
}

function endpoints(address: string): Readonly<Record<string, string>> {
  return { '--metrics-address': address, '--health-address': address };
}

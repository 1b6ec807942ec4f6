import { readdirSync } from 'node:fs';
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';
import { property, trustedJson } from '../sandbox/json.ts';
import type { ControlPlane } from '../sandbox/sandbox.ts';
import { eventually } from './eventually.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'manifests');

/** The folders of `manifests/` that `kubectl apply -k` takes, and what it takes to apply others. */
export const manifestsFolder = root;
export const baseFolder = join(root, 'base');
export const overlayNames: readonly string[] = readdirSync(join(root, 'overlays')).toSorted();
export const overlayFolder = (name: string): string => join(root, 'overlays', name);

const componentsFolder = join(root, 'examples', 'managed-clusters');
/** Components for source clusters of the clouds. */
export const componentNames: readonly string[] = readdirSync(componentsFolder).toSorted();

/** A folder with the base and one component, as an overlay of a user has them. `folder` is temporary. */
export async function overlayWithComponent(folder: string, name: string): Promise<string> {
  const overlay = join(await realpath(folder), `with-${name}`);
  await mkdir(overlay);
  const path = (target: string): string => relative(overlay, target);
  const content = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [path(baseFolder)],
    components: [path(join(componentsFolder, name))],
  };
  await writeFile(join(overlay, 'kustomization.yaml'), stringify(content));
  return overlay;
}

/** The namespace of the base. */
export const ownNamespace = 'context-syncer';
/** Of the ValidatingWebhookConfiguration. */
export const configurationName = 'context-syncer';

/** Any object of the manifests. */
export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
}

export interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly valueFrom: unknown }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly [Container];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

export interface Deployment extends ManifestObject {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: PodSpec;
    };
  };
}

/** The objects that `kubectl kustomize FOLDER` makes. */
export async function render(place: ControlPlane, folder: string): Promise<readonly ManifestObject[]> {
  const { stdout } = await place.kubectl(['kustomize', folder]);
  return parseAllDocuments(stdout).map((document) =>
    trustedJson<ManifestObject>(JSON.stringify(document.toJS())),
  );
}

export function objectOf(objects: readonly ManifestObject[], kind: string, name: string): ManifestObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) {
    throw new Error(`the manifests have no ${kind} ${name}`);
  }
  return found;
}

export function deploymentsOf(objects: readonly ManifestObject[]): readonly Deployment[] {
  return objects.filter((object): object is Deployment => object.kind === 'Deployment');
}

export function deploymentOf(objects: readonly ManifestObject[], name: string): Deployment {
  const found = deploymentsOf(objects).find(({ metadata }) => metadata.name === name);
  if (found === undefined) {
    throw new Error(`the manifests have no Deployment ${name}`);
  }
  return found;
}

/**
 * The arguments of a Deployment's container, with variables replaced as a kubelet does, and some of its flags given other
 * values, by flag (`--listen`), since a test has no pod. Throws for a flag that the container does not have: a test must
 * not run what nobody deploys.
 */
export function argumentsOf(
  { metadata, spec }: Deployment,
  values: Readonly<Record<string, string>>,
): readonly string[] {
  const [{ args, env }] = spec.template.spec.containers;
  const ownNamespaceVariables = env.filter(
    ({ valueFrom }) => property(property(valueFrom, 'fieldRef'), 'fieldPath') === 'metadata.namespace',
  );
  const flagged = (flag: string): number => args.findIndex((arg) => arg.startsWith(`${flag}=`));
  const absent = Object.keys(values).find((flag) => flagged(flag) < 0);
  if (absent !== undefined) {
    throw new Error(`the container has no ${absent}`);
  }
  return args.map((arg) => {
    const [flag = ''] = arg.split('=', 1);
    const value = values[flag];
    return value === undefined
      ? ownNamespaceVariables.reduce(
          (text, { name }) => text.replaceAll(`$(${name})`, metadata.namespace ?? ''),
          arg,
        )
      : `${flag}=${value}`;
  });
}

/** A file of `manifests/examples`, with its placeholders filled in. Each must be in it. */
export async function example(
  name: string,
  placeholders: Readonly<Record<string, string>> = {},
): Promise<string> {
  let text = await readFile(join(root, 'examples', name), 'utf8');
  for (const [placeholder, value] of Object.entries(placeholders)) {
    if (!text.includes(placeholder)) {
      throw new Error(`${name} has no ${placeholder}`);
    }
    text = text.replaceAll(placeholder, value);
  }
  return text;
}

/** What the cert-manager overlays need of cert-manager: that the API server knows its kinds. */
export async function installCertManagerKinds(place: ControlPlane): Promise<void> {
  await installKinds(place, 'cert-manager.io', [
    { kind: 'Certificate', plural: 'certificates' },
    { kind: 'Issuer', plural: 'issuers' },
  ]);
}

/** The same for the monitoring overlay and the Prometheus Operator. */
export async function installPrometheusKinds(place: ControlPlane): Promise<void> {
  await installKinds(place, 'monitoring.coreos.com', [
    { kind: 'ServiceMonitor', plural: 'servicemonitors' },
    { kind: 'PrometheusRule', plural: 'prometheusrules' },
  ]);
}

async function installKinds(
  place: ControlPlane,
  group: string,
  kinds: readonly { readonly kind: string; readonly plural: string }[],
): Promise<void> {
  await Promise.all(
    kinds.map(({ kind, plural }) =>
      place.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
        metadata: { name: `${plural}.${group}` },
        spec: {
          group,
          scope: 'Namespaced',
          names: { kind, plural },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: {
                openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              },
            },
          ],
        },
      }),
    ),
  );
  await eventually(`the kinds of ${group} are served`, async () => {
    await Promise.all(kinds.map(({ plural }) => place.request('GET', `/apis/${group}/v1/${plural}`)));
  });
}

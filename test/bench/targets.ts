import { ClusterProxy } from '../sandbox/network/cluster-proxy.ts';
import type { ProxiedCluster } from '../sandbox/network/virtual-cluster.ts';
import type { ControlPlane, Sandbox } from '../sandbox/sandbox.ts';
import { inFlight } from './in-flight.ts';
import type { Endpoint } from './reference/task.ts';

/** The namespace of all sources and copies, as the product sees it. */
export const benchNamespace = 'bench-00000';
const ownNamespace = 'context-syncer';
/** Control planes that all target clusters are made of. */
export const planes = 2;
const parallelWrites = 32;

export interface WorldOptions {
  /** How many target clusters. */
  readonly clusters: number;
  /** The first two control planes themselves, not through the proxy: for the shortest ways. */
  readonly direct?: boolean;
  /** Bytes of payload of each source. */
  readonly payloadBytes?: number;
}

/** A target cluster as kubeconfig, reference and observer know it. */
export interface Target {
  readonly context: string;
  readonly plane: ControlPlane;
  readonly endpoint: Endpoint;
  /** The real name of `benchNamespace`. */
  readonly namespace: string;
}

/** Starts the proxy, makes the target clusters and their namespaces, and those of the source. */
export async function prepareTargets(
  sandbox: Sandbox,
  options: WorldOptions,
): Promise<{ readonly proxy: ClusterProxy; readonly targets: readonly Target[] }> {
  const { source, targets } = sandbox;
  const serving = await source.ca.serving({ dns: ['localhost'], ip: ['127.0.0.1'] });
  const real = (index: number): string =>
    options.direct === true ? benchNamespace : `bench-${String(index + 1).padStart(5, '0')}`;
  const virtual = Array.from({ length: options.clusters }, (_, index): ProxiedCluster => {
    return {
      name: `context-${index + 1}`,
      upstream: 1 + (index % planes),
      namespace: { shown: benchNamespace, real: real(index) },
    };
  });
  const proxy = await ClusterProxy.start({
    ...serving,
    upstreams: [source, ...targets],
    clusters: [{ name: 'source', upstream: 0 }, ...virtual],
  });
  const made = virtual.map(({ name }, index): Target => {
    const plane = targets[index % planes];
    if (plane === undefined) {
      throw new Error('the sandbox has too few targets');
    }
    const { url, caPem } =
      options.direct === true ? plane : { url: `${proxy.url}/${name}`, caPem: source.caPem };
    return {
      context: name,
      plane,
      endpoint: { url, caPem, token: plane.adminToken },
      namespace: real(index),
    };
  });
  const create = (plane: ControlPlane, name: string): Promise<unknown> =>
    plane.request('POST', '/api/v1/namespaces', { metadata: { name } });
  await Promise.all([create(source, ownNamespace), create(source, benchNamespace)]);
  await inFlight(parallelWrites, made, ({ plane, namespace }) => create(plane, namespace));
  return { proxy, targets: made };
}

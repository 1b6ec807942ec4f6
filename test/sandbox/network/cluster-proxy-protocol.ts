import type { ProxiedCluster } from './virtual-cluster.ts';

export interface ClusterProxyConfig {
  readonly certPem: string;
  readonly keyPem: string;
  readonly upstreams: readonly { readonly url: string; readonly caPem: string }[];
  readonly clusters: readonly ProxiedCluster[];
}

/**
 * - `pass`: requests pass.
 * - `refuse`: connections are reset as soon as a request arrives on them; watches are cut.
 * - `silent`: requests are accepted and not answered, watches stay and say nothing, until the mode changes.
 * - `hold-watches`: requests pass; events of watches are held back until the mode changes.
 */
export type ClusterMode = 'pass' | 'refuse' | 'silent' | 'hold-watches';

/** Requests of one kind to one cluster. */
export interface RequestCount {
  readonly cluster: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly metadataOnly: boolean;
  readonly requests: number;
  /** Answered with a status of 400 or more. */
  readonly failures: number;
  /** Bytes of bodies in both directions. */
  readonly bytes: number;
}

export type ClusterProxyRequest =
  | { readonly id: number; readonly do: 'start'; readonly config: ClusterProxyConfig }
  | {
      readonly id: number;
      readonly do: 'set';
      readonly clusters: readonly string[];
      readonly mode?: ClusterMode;
      /** Milliseconds that a request and its answer take on top, half on the way in, half on the way out. */
      readonly roundTripMs?: number;
    }
  | { readonly id: number; readonly do: 'count' };

export type ClusterProxyAnswer =
  | { readonly id: number; readonly port: number }
  | { readonly id: number; readonly counts: readonly RequestCount[] }
  | { readonly id: number };

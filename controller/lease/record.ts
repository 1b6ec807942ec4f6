import type { KubeObject } from '../../shared/kube/object.ts';
import { apiVersion, leases } from '../../shared/kube/resource.ts';

export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** A coordination.k8s.io/v1 Lease. */
export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

/** The MicroTime format of Kubernetes: RFC 3339 with exactly six digits of a second. `now` in epoch milliseconds. */
export function microTime(now: number): string {
  return new Date(now).toISOString().replace('Z', '000Z');
}

/** Who holds the lease; undefined for nobody, which a released lease says with an empty string. */
export function holderOf(lease: Lease): string | undefined {
  const holder = lease.spec?.holderIdentity;
  return holder === '' ? undefined : holder;
}

/** Annotations of Leases that several candidates share out. */
export interface ShareKeys {
  /** How many Leases the holder shares in; absent for one. */
  readonly shards: string;
  /** Who asks the holder to pass it on. */
  readonly wantedBy: string;
}

export interface Claimant {
  readonly identity: string;
  readonly leaseDurationMs: number;
  /** Epoch milliseconds, for the time stamps that people read; nothing is decided by them. */
  readonly now: number;
  readonly keys: ShareKeys;
  /** How many Leases are shared out. */
  readonly shards: number;
}

export function newLease(namespace: string, name: string, claimant: Claimant): Lease {
  const bare = { apiVersion: apiVersion(leases), kind: leases.kind, metadata: { namespace, name } };
  return claimed(bare, claimant);
}

/** The lease as this claimant writes it: renewed if it holds it, else taken over. The version goes along. */
export function claimed(lease: Lease, claimant: Claimant): Lease {
  const { keys, shards, identity } = claimant;
  const changes = {
    [keys.shards]: shards === 1 ? undefined : String(shards),
    // Somebody asked the last holder.
    ...(holderOf(lease) === identity ? {} : { [keys.wantedBy]: undefined }),
  };
  return { ...annotated(lease, changes), spec: claimedSpec(lease.spec, claimant) };
}

/** The lease with these annotations set or (undefined) taken away. */
export function annotated(lease: Lease, changes: Readonly<Record<string, string | undefined>>): Lease {
  const kept = Object.entries({ ...lease.metadata.annotations, ...changes });
  const annotations = Object.fromEntries(
    kept.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  return { ...lease, metadata: { ...lease.metadata, annotations } };
}

function claimedSpec(spec: LeaseSpec | undefined, { identity, leaseDurationMs, now }: Claimant): LeaseSpec {
  const time = microTime(now);
  const renews = spec?.holderIdentity === identity;
  return {
    ...spec,
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000),
    renewTime: time,
    acquireTime: renews ? (spec.acquireTime ?? time) : time,
    leaseTransitions: spec === undefined ? 0 : (spec.leaseTransitions ?? 0) + (renews ? 0 : 1),
  };
}

/** The lease given back: no holder, and a duration of one second for readers that look at nothing else. */
export function released(lease: Lease, now: number): Lease {
  const time = microTime(now);
  return {
    ...lease,
    spec: {
      ...lease.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: time,
      renewTime: time,
    },
  };
}

import type { KubeObject } from './object.ts';
import { apiVersion, leases } from './resource.ts';

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

export interface Claimant {
  readonly identity: string;
  readonly leaseDurationMs: number;
  /** Epoch milliseconds, for the time stamps that people read; nothing is decided by them. */
  readonly now: number;
}

export function newLease(namespace: string, name: string, claimant: Claimant): Lease {
  const bare = { apiVersion: apiVersion(leases), kind: leases.kind, metadata: { namespace, name } };
  return { ...bare, spec: { ...claimedSpec(undefined, claimant), leaseTransitions: 0 } };
}

/** The lease as this claimant writes it: renewed if it holds it, else taken over. The version goes along. */
export function claimed(lease: Lease, claimant: Claimant): Lease {
  return { ...lease, spec: claimedSpec(lease.spec, claimant) };
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
    leaseTransitions: (spec?.leaseTransitions ?? 0) + (renews ? 0 : 1),
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

import { createHash } from 'node:crypto';

/**
 * The shard of a target cluster, from 0, by its identity: the same in every process, whatever kubeconfig it reads and
 * in whatever order.
 */
export function shardOf(cluster: string, shards: number): number {
  return createHash('sha256').update(cluster).digest().readUInt32BE() % shards;
}

/**
 * The names of the Leases of all shards. That of shard 0 is the one of leader election, so that replicas with any numbers
 * of shards compete for it.
 */
export function leaseNames(shards: number): readonly [string, ...string[]] {
  const others = Array.from({ length: shards - 1 }, (_, index) => `${firstLease}-${index + 1}`);
  return [firstLease, ...others];
}

const firstLease = 'context-syncer-controller';

import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leaseNames, shardOf } from '../../../controller/shards.ts';

describe('the shard of a cluster', () => {
  it('is one of those that there are, always the same', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 64 }), (cluster, shards) => {
        const shard = shardOf(cluster, shards);
        expect(Number.isInteger(shard) && shard >= 0 && shard < shards).toBe(true);
        expect(shardOf(cluster, shards)).toBe(shard);
      }),
    );
  });

  it('does not change from version to version: replicas of two versions would both serve a cluster', () => {
    const clusters = ['3a307a9d-5ee4-4cc7-a8cb-5c1f1c1d36a1', 'namespace:0', 'url:https://c.example:6443'];
    expect(clusters.map((cluster) => shardOf(cluster, 64))).toMatchInlineSnapshot(`
      [
        55,
        33,
        0,
      ]
    `);
  });

  it('is any of them about as often as any other', () => {
    const counts = new Map<number, number>();
    for (let index = 0; index < 8_000; index += 1) {
      const shard = shardOf(randomUUID(), 8);
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    // Nine standard deviations of a thousand.
    expect([...counts.values()].every((count) => Math.abs(count - 1_000) < 270)).toBe(true);
  });
});

describe('the Leases', () => {
  it('are that of leader election and, for more shards, others beside it', () => {
    expect(leaseNames(1)).toEqual(['context-syncer-controller']);
    expect(leaseNames(3)).toEqual([
      'context-syncer-controller',
      'context-syncer-controller-1',
      'context-syncer-controller-2',
    ]);
  });
});

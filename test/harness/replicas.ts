import { expect } from 'vitest';
import { World } from '../bench/world.ts';
import { eventually } from './eventually.ts';
import { metric } from './metrics.ts';
import type { Program } from './program.ts';
import type { StoredObject } from './stage.ts';

const clusters = 12;
const shards = 6;
/** Until a Lease whose holder went without a word is taken over, and the rest of the work is done. */
export const patienceMs = 120_000;
/** For a test, and for what is deleted after it: thousands of objects, on a machine that does other things as well. */
export const timeoutMs = 300_000;
const catalogPath = '/api/v1/namespaces/context-syncer/configmaps/context-syncer-catalog';

/** Replicas that share out 12 target clusters in 6 shards, and the world in which they work. */
export class Replicas implements AsyncDisposable {
  readonly world: World;
  readonly #all: Program[] = [];

  private constructor(world: World) {
    this.world = world;
  }

  static async start(): Promise<Replicas> {
    return new Replicas(await World.start({ clusters, payloadBytes: 100 }));
  }

  async launch(count = shards): Promise<Program> {
    const replica = await this.world.startProgram({}, { shards: String(count) });
    this.#all.push(replica);
    return replica;
  }

  /** Waits until the replicas that run hold as many shards as these, in any order. */
  async shareOut(sizes: readonly number[], among: readonly Program[] = this.#all): Promise<void> {
    await sharedOut(
      sizes,
      among.filter((replica) => replica.running),
    );
  }

  async catalog(): Promise<StoredObject> {
    const { body } = await this.world.sandbox.source.request<StoredObject>('GET', catalogPath);
    return body;
  }

  async patchCatalog(patch: object): Promise<void> {
    await this.world.sandbox.source.request('PATCH', catalogPath, patch, {
      contentType: 'application/merge-patch+json',
    });
  }

  /** Ends all replicas and deletes sources, copies, Leases and the catalog: the next test begins like the first. */
  async clear(): Promise<void> {
    const { world } = this;
    const { source } = world.sandbox;
    await Promise.all(this.#all.splice(0).map((replica) => replica.kill()));
    await world.proxy.set(world.clusterNames, { roundTripMs: 0 });
    await world.deleteSources(world.jobs(2_000, 2));
    await world.wipeCopies();
    await source.request('DELETE', '/apis/coordination.k8s.io/v1/namespaces/context-syncer/leases');
    await source.request('DELETE', '/api/v1/namespaces/context-syncer/configmaps');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

async function sharedOut(sizes: readonly number[], running: readonly Program[]): Promise<void> {
  await eventually(
    `shards are shared out ${sizes.join(', ')}`,
    async () => {
      const held = await Promise.all(
        running.map((replica) => metric(replica, 'leader_election_master_status')),
      );
      expect(held.toSorted((a, b) => a - b)).toEqual(sizes);
    },
    patienceMs,
  );
}

/** Changes sources, and sees that the replicas write each copy once: nothing besides is written at rest. */
export async function eachCopyIsWrittenOnce(world: World): Promise<void> {
  const jobs = world.jobs(24, 2);
  const before = await world.tally();
  await world.updateSources(jobs);
  world.expectInSync(jobs);
  await eventually('all copies of the changed sources are written', async () => {
    expect((await world.tally()).since(before).copyWrites()).toBe(48);
  });
}

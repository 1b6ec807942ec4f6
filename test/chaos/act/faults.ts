import { setTimeout as sleep } from 'node:timers/promises';
import { giveRights, takeRights } from '../access.ts';
import { listObjects, placeOf, send } from '../api-object.ts';
import type { Operation } from '../operation.ts';
import { objectPath } from '../slots.ts';
import type { Cluster, World } from '../world.ts';

type Of<K extends Operation['op']> = Extract<Operation, { op: K }>;

/** What befalls controllers, API servers, networks and whole clusters. */
export class Faults {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  suspend({ controller: number, ms }: Of<'suspend-controller'>): string {
    const controller = this.#world.controllers[number];
    controller?.signal('SIGSTOP');
    this.#world.later(`controller ${number} wakes`, ms, async () => {
      await Promise.resolve();
      controller?.wake();
    });
    return '';
  }

  kill({ controller: number, ms }: Of<'kill-controller'>): string {
    this.#world.inBackground('kill', async () => await this.#world.controllers[number]?.kill(ms));
    return '';
  }

  stop({ controller: number, ms }: Of<'stop-controller'>): string {
    this.#world.inBackground('stop', async () => await this.#world.controllers[number]?.stop(ms));
    return '';
  }

  /** The next write but `nth` of a controller to a target gets it a signal. A trap that nothing falls into ends after a while. */
  trap({ when, nth, signal, ms }: Of<'trap'>): string {
    const world = this.#world;
    let count = 0;
    const lift = world.targets.map(({ proxy }) =>
      proxy.onWrite((write) => {
        const controller = world.controllerOf(write.token);
        if (write.when !== when || controller?.isAwake !== true || ++count !== nth) {
          return true;
        }
        controller.signal(signal);
        world.journal.write(
          `        ${signal} to controller ${controller.number} ${when} ${write.method} ${write.path}`,
        );
        world.inBackground('trap', async () => {
          if (signal === 'SIGKILL') {
            await controller.restart(ms);
          } else {
            await sleep(ms);
            controller.wake();
          }
        });
        // A process that dies before its request was sent, or after it was answered.
        return signal !== 'SIGKILL';
      }),
    );
    world.inBackground('trap', async () => {
      await sleep(10_000);
      for (const end of lift) {
        end();
      }
    });
    return '';
  }

  upgrade(): string {
    const world = this.#world;
    world.inBackground('upgrade', async () => {
      for (const controller of world.controllers) {
        await controller.upgrade();
        world.journal.write(`        controller ${controller.number} is of the present`);
      }
    });
    return '';
  }

  async moveClock({ controller, hours }: Of<'clock'>): Promise<string> {
    await this.#world.controllers[controller]?.moveClock(hours);
    return '';
  }

  /**
   * Another API server of the cluster stands still for a while and then answers at its address: what its watches show is what was,
   * until it has caught up.
   */
  replica(cluster: Cluster, { staleMs, ms, restart }: Of<'replica'>): string {
    const { plane, proxy } = cluster;
    const world = this.#world;
    if (cluster.hasReplica || !cluster.isUp) {
      return 'not now';
    }
    cluster.hasReplica = true;
    world.inBackground('replica', async () => {
      const replica = await plane.startReplica();
      await replica.signal('SIGSTOP');
      await sleep(staleMs);
      proxy.lead({ port: replica.port, caPem: plane.caPem });
      await replica.signal('SIGCONT');
      world.journal.write(`        a replica of ${plane.name} answers`);
      if (restart) {
        await Promise.all(world.controllers.map(async (controller) => await controller.kill(0)));
      }
      await sleep(ms);
      proxy.lead(plane);
      await replica.kill();
      await replica.close();
      cluster.hasReplica = false;
      world.journal.write(`        the first server of ${plane.name} answers`);
    });
    return '';
  }

  /** Settings are read at the start: both controllers start anew, one after the other. */
  async policies(denied: string | null): Promise<string> {
    const world = this.#world;
    await world.usePolicies(denied);
    world.inBackground('policies', async () => {
      for (const controller of world.controllers) {
        await controller.stop(0);
      }
    });
    return '';
  }

  async killServer(cluster: Cluster, ms: number): Promise<string> {
    cluster.isUp = false;
    await cluster.plane.kill();
    this.#world.later(`${cluster.plane.name} is started again`, ms, async () => {
      await cluster.plane.restart();
      cluster.isUp = true;
    });
    return '';
  }

  async pauseServer(cluster: Cluster, ms: number): Promise<string> {
    cluster.isUp = false;
    await cluster.plane.pause();
    this.#world.later(`${cluster.plane.name} goes on`, ms, async () => {
      await cluster.plane.resume();
      cluster.isUp = true;
    });
    return '';
  }

  async compact(cluster: Cluster, restart: boolean): Promise<string> {
    await cluster.plane.compact();
    if (restart) {
      await cluster.plane.restart();
    }
    return '';
  }

  inject(cluster: Cluster, { fault, ms }: Of<'fault'>): string {
    const lift = cluster.proxy.inject(fault);
    this.#world.inBackground('fault', async () => {
      await sleep(ms);
      lift();
    });
    return '';
  }

  /** The cluster's address leads to another one for a while. */
  swap(cluster: Cluster, other: Cluster, ms: number): string {
    cluster.proxy.lead(other.plane);
    this.#world.later(`the address of ${cluster.plane.name} leads back`, ms, async () => {
      await Promise.resolve();
      cluster.proxy.lead(cluster.plane);
    });
    return '';
  }

  async takeRights(cluster: Cluster, ms: number): Promise<string> {
    await takeRights(cluster.plane);
    this.#world.later(`rights on ${cluster.plane.name} are given back`, ms, async () => {
      await this.#world.persist(async () => await giveRights(cluster.plane));
    });
    return '';
  }

  async snapshot(cluster: Cluster): Promise<string> {
    await this.#calm(cluster);
    cluster.snapshot = { data: await cluster.plane.snapshot(), foreign: new Map(cluster.foreign) };
    return '';
  }

  async restore(cluster: Cluster): Promise<string> {
    await this.#calm(cluster);
    if (cluster.snapshot === undefined) {
      return 'no snapshot';
    }
    const { data, foreign } = cluster.snapshot;
    const since = Date.now();
    await cluster.plane.restore(data);
    cluster.foreign = new Map(foreign);
    await this.#world.lay(cluster);
    if (cluster.number === 0) {
      await this.#world.rereadSources(since, 'restore');
      this.#world.history.recordRestore(since, Date.now());
    } else {
      await letGo(cluster);
      cluster.resets.push(since);
    }
    return '';
  }

  /** Empty, under the old address. After the source was rebuilt, an operator restarts the controllers and names the old uid. */
  async rebuild(cluster: Cluster): Promise<string> {
    await this.#calm(cluster);
    const world = this.#world;
    const since = Date.now();
    const old = world.sourceUid;
    await cluster.plane.rebuild();
    cluster.snapshot = undefined;
    if (cluster.number !== 0) {
      cluster.foreign.clear();
      await world.lay(cluster);
      cluster.resets.push(since);
      return '';
    }
    world.takeOverUid = old;
    await world.lay(cluster);
    await world.rereadSources(since, 'rebuild');
    world.history.recordRestore(since, Date.now());
    world.inBackground('restart', async () => {
      await Promise.all(world.controllers.map(async (controller) => await controller.stop(0)));
    });
    return `takes over from ${old}`;
  }

  async contexts(change: Of<'contexts'>): Promise<string> {
    const { contexts } = this.#world;
    contexts.apply(change);
    if (change.change === 'half-written' || change.change === 'garbage') {
      await this.#world.writeContexts(
        change.change === 'garbage' ? () => '{ not: [a kubeconfig' : (good) => good.slice(0, good.length / 2),
      );
      this.#world.later('the kubeconfig is whole again', change.ms, async () => {
        await this.#world.writeContexts();
      });
    } else {
      await this.#world.writeContexts();
    }
    return '';
  }

  /** Nothing of ours is under way on the cluster. */
  async #calm(cluster: Cluster): Promise<void> {
    while (!cluster.isUp || cluster.hasReplica || cluster.pendingNamespaces.size > 0) {
      await sleep(50);
    }
  }
}

/** A finalizer that was in a snapshot has nobody who would take it away. */
async function letGo(cluster: Cluster): Promise<void> {
  for (const listed of await listObjects(cluster.plane)) {
    if (listed.object.metadata.finalizers !== undefined) {
      await send(cluster.plane, 'PATCH', objectPath(placeOf(listed)), { metadata: { finalizers: [] } });
    }
  }
}

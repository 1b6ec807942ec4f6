import { Faults } from './act/faults.ts';
import { Sources } from './act/sources.ts';
import { Targets } from './act/targets.ts';
import type { Operation } from './operation.ts';
import { copySlots, type Place, placeKey, sourceSlots } from './slots.ts';
import type { Cluster, World } from './world.ts';

/** Carries out operations in a world. */
export class Performer {
  readonly #world: World;
  readonly #sources: Sources;
  readonly #targets: Targets;
  readonly #faults: Faults;

  constructor(world: World) {
    this.#world = world;
    this.#sources = new Sources(world);
    this.#targets = new Targets(world);
    this.#faults = new Faults(world);
  }

  /** Yields what it came to. An operation on a cluster that does not answer does nothing. */
  async perform(operation: Exclude<Operation, { op: 'quiet' }>): Promise<string> {
    const cluster = this.#clusterOf(operation);
    if (cluster !== undefined && !cluster.isUp) {
      return 'the cluster is down';
    }
    return await this.#perform(operation);
  }

  async #perform(operation: Exclude<Operation, { op: 'quiet' }>): Promise<string> {
    const on = (number: number): Cluster => this.#world.cluster(number);
    switch (operation.op) {
      case 'put-source':
        return await this.#sources.put(sourceAt(operation.slot), operation.list, operation.content);
      case 'edit-source':
        return await this.#sources.edit(sourceAt(operation.slot), operation.content);
      case 'list-source':
        return await this.#sources.setList(sourceAt(operation.slot), operation.list);
      case 'delete-source':
        return await this.#sources.delete(sourceAt(operation.slot));
      case 'recreate-source':
        return await this.#sources.recreate(sourceAt(operation.slot), operation.content);
      case 'edit-copy':
        return await this.#targets.edit(on(operation.cluster), operation.slot, operation.edit);
      case 'delete-copy':
        return await this.#targets.delete(on(operation.cluster), operation.slot);
      case 'hold-copy':
        return await this.#targets.hold(on(operation.cluster), operation.slot, operation.ms);
      case 'put-foreign': {
        const { cluster, slot, way, content } = operation;
        return await this.#targets.putForeign(on(cluster), copyAt(slot), way, content);
      }
      case 'remove-foreign':
        return await this.#targets.removeForeign(on(operation.cluster), operation.slot);
      case 'delete-namespace': {
        const { cluster, namespace, terminatingMs, absentMs } = operation;
        return await this.#targets.deleteNamespace(on(cluster), namespace, terminatingMs, absentMs);
      }
      case 'contexts':
        return await this.#faults.contexts(operation);
      case 'kill-controller':
        return this.#faults.kill(operation);
      case 'stop-controller':
        return this.#faults.stop(operation);
      case 'suspend-controller':
        return this.#faults.suspend(operation);
      case 'trap':
        return this.#faults.trap(operation);
      case 'clock':
        return await this.#faults.moveClock(operation);
      case 'upgrade':
        return this.#faults.upgrade();
      case 'replica':
        return this.#faults.replica(on(operation.cluster), operation);
      case 'policies':
        return await this.#faults.policies(operation.denied);
      case 'kill-server':
        return await this.#faults.killServer(on(operation.cluster), operation.ms);
      case 'pause-server':
        return await this.#faults.pauseServer(on(operation.cluster), operation.ms);
      case 'compact':
        return await this.#faults.compact(on(operation.cluster), operation.restart);
      case 'fault':
        return this.#faults.inject(on(operation.cluster), operation);
      case 'swap':
        return this.#faults.swap(on(operation.cluster), on(operation.with), operation.ms);
      case 'rights':
        return await this.#faults.takeRights(on(operation.cluster), operation.ms);
      case 'snapshot':
        return await this.#faults.snapshot(on(operation.cluster));
      case 'restore':
        return await this.#faults.restore(on(operation.cluster));
      case 'rebuild':
        return await this.#faults.rebuild(on(operation.cluster));
    }
  }

  /** The cluster that must answer for the operation to mean anything. */
  #clusterOf(operation: Operation): Cluster | undefined {
    if ('cluster' in operation) {
      const waits = ['snapshot', 'restore', 'rebuild', 'fault', 'swap'].includes(operation.op);
      return waits ? undefined : this.#world.cluster(operation.cluster);
    }
    return operation.op.endsWith('-source') ? this.#world.source : undefined;
  }
}

function sourceAt(slot: number): Place {
  return at(sourceSlots, slot);
}

function copyAt(slot: number): Place {
  return at(copySlots, slot);
}

function at(places: readonly Place[], slot: number): Place {
  const place = places[slot];
  if (place === undefined) {
    throw new RangeError(`there is no slot ${slot}`);
  }
  return place;
}

/** One line for people: what, where, and with which parameters. */
export function describeOperation(operation: Operation): string {
  const { op, ...rest } = operation;
  const place =
    'slot' in operation
      ? placeKey(op.endsWith('-source') ? sourceAt(operation.slot) : copyAt(operation.slot)).slice(0, 40)
      : '';
  const more = Object.entries(rest)
    .filter(([key]) => key !== 'slot')
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [op, place, ...more].filter((part) => part !== '').join(' ');
}

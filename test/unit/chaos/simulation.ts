import { TransportError } from '../../../shared/kube/errors.ts';
import type { ContextEntry } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import type { ApiObject } from '../../chaos/api-object.ts';
import { additionPrefix, contentOf, editedLabel, metadataOf, payloadMark } from '../../chaos/content.ts';
import { Contexts } from '../../chaos/contexts.ts';
import { History } from '../../chaos/history.ts';
import type { ContentSpec, ForeignWay, Operation, Step } from '../../chaos/operation.ts';
import { differencesIn } from '../../chaos/oracle/final-state.ts';
import { listAnnotation, originAnnotation, originOf, ownerOf } from '../../chaos/oracle/marks.ts';
import { WriteJudge } from '../../chaos/oracle/write-judge.ts';
import { Random } from '../../chaos/random.ts';
import { copySlots, type Place, placeKey, sourceSlots } from '../../chaos/slots.ts';
import { cluster as sourceCluster } from '../controller/arbitraries.ts';
import { FakeApi, type FakeWrite } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { SimulatedProcess } from './simulated-process.ts';

const targets = 2;
/** Milliseconds of the simulated clock. */
const lookMs = 2_000;
const releaseAfterMs = 30_000;
const deadlineMs = 15 * 60_000;
const restMs = 5 * 60_000;
const originLabels = ['name', 'namespace', 'cluster'].map((name) => `kubed.appscode.com/origin.${name}`);

/**
 * A restore takes API servers down, also in memory: one that ends no watch is found with the next event or list only, which comes after
 * what a quiet point waits for (docs/safety.md).
 */
const restoreMs = 12_000;
/** How long a Lease is held that nobody renews or gives back. */
const leaseMs = 15_000;
/** How long a process that ends in good order holds its Lease at most: until its requests were answered. */
const lastRequestsMs = 8_000;

export interface SimulationOptions {
  readonly seed: number;
  /** Two: both controllers lead all the time, which a Lease allows for moments at most. */
  readonly leaders: 1 | 2;
}

/**
 * Plays scripts of chaos in memory: the engine of the controller on API servers and a clock that are not real. A script takes a
 * fraction of a second and always goes the same way. What only real processes and servers have (Leases, TLS, probes of readiness,
 * identity of the source) is left to `npm run chaos`.
 */
export class Simulation {
  readonly #clock = new ManualClock();
  readonly #random: Random;
  readonly #contexts = new Contexts(targets);
  readonly #history = new History(() => this.#clock.now());
  readonly #judge = new WriteJudge(this.#history, () => sourceCluster.uid);
  readonly #clusters: readonly SimulatedCluster[];
  readonly #processes: readonly SimulatedProcess[];
  readonly #violations: string[] = [];
  readonly #leaders: 1 | 2;
  /** The one that leads, where one does. */
  #leader = 0;
  #pending = 0;
  #lastChange = 0;

  constructor({ seed, leaders }: SimulationOptions) {
    this.#leaders = leaders;
    this.#random = new Random(seed);
    const kept = { text: undefined };
    const random = (): number => this.#random.next();
    this.#clusters = Array.from(
      { length: targets + 1 },
      (_, number) =>
        new SimulatedCluster(number, this.#clock, random, (cluster, user, write) =>
          this.#wrote(cluster, user, write),
        ),
    );
    this.#history.recordContexts(this.#contexts.all);
    this.#processes = [0, 1].map(
      (number) =>
        new SimulatedProcess({
          clock: this.#clock,
          random,
          source: (isDead) => this.#cluster(0).connect(number, isDead),
          connect: ({ server }, isDead) => this.#connect(server, number, isDead),
          contexts: () => this.#entries(),
          kept,
        }),
    );
  }

  /** Plays the script; yields what was wrong at the first quiet point at which something was. */
  async run(script: readonly Step[]): Promise<readonly string[]> {
    for (const process of this.#processes.slice(0, this.#leaders)) {
      process.start();
    }
    await this.#clock.advance(1_000);
    for (const { operation, pauseMs } of script) {
      if (operation.op === 'quiet') {
        await this.#quietPoint();
        if (this.#violations.length > 0) {
          break;
        }
      } else {
        this.#perform(operation);
        await this.#clock.advance(pauseMs);
      }
    }
    await Promise.all(this.#processes.map(async (process) => await process.stop()));
    return this.#violations;
  }

  /** How many writes of controllers were judged. */
  get writes(): number {
    return this.#judge.writes;
  }

  async #quietPoint(): Promise<void> {
    while (this.#pending > 0) {
      await this.#clock.advance(lookMs);
    }
    const begun = this.#clock.monotonic();
    let differences = this.#differences();
    while (differences.length > 0 && this.#clock.monotonic() - begun < deadlineMs) {
      await this.#clock.advance(lookMs);
      if (this.#clock.monotonic() - begun > releaseAfterMs) {
        this.#release();
      }
      differences = this.#differences();
    }
    // Trailing writes, such as bookkeeping of a second controller, belong to what went before.
    await this.#clock.advance(restMs / 5);
    const before = this.#lastChange;
    await this.#clock.advance(restMs);
    this.#violations.push(
      ...(differences.length > 0 ? differences : this.#differences()),
      ...(this.#lastChange === before ? [] : ['controllers write at rest']),
    );
  }

  #release(): void {
    if (this.#processes.map((process) => process.release()).some(Boolean)) {
      this.#judge.releases.push(this.#clock.now());
    }
  }

  #differences(): readonly string[] {
    const [source, ...rest] = this.#clusters;
    return differencesIn({
      sources: source?.objects() ?? [],
      sourceUid: sourceCluster.uid,
      takeOverUid: undefined,
      contexts: this.#contexts.all,
      targets: rest.map((target) => ({
        number: target.number,
        name: target.name,
        objects: target.objects(),
        foreign: target.foreign,
        namespaces: target.activeNamespaces,
      })),
    });
  }

  #perform(operation: Exclude<Operation, { op: 'quiet' }>): void {
    switch (operation.op) {
      case 'put-source':
        this.#putSource(at(sourceSlots, operation.slot), operation.list, operation.content);
        break;
      case 'edit-source': {
        const place = at(sourceSlots, operation.slot);
        this.#putSource(place, this.#listOf(place), operation.content);
        break;
      }
      case 'list-source': {
        const place = at(sourceSlots, operation.slot);
        const source = this.#cluster(0).find(place);
        if (source !== undefined) {
          this.#record(place, this.#cluster(0).put(place, withList(source, operation.list)));
        }
        break;
      }
      case 'delete-source':
        this.#deleteSource(at(sourceSlots, operation.slot));
        break;
      case 'recreate-source': {
        const place = at(sourceSlots, operation.slot);
        const list = this.#listOf(place);
        this.#deleteSource(place);
        this.#putSource(place, list, operation.content);
        break;
      }
      case 'edit-copy':
      case 'delete-copy':
      case 'hold-copy':
        this.#disturb(this.#cluster(operation.cluster), operation);
        break;
      case 'put-foreign':
        this.#putForeign(
          this.#cluster(operation.cluster),
          at(copySlots, operation.slot),
          operation.way,
          operation.content,
        );
        break;
      case 'remove-foreign': {
        const cluster = this.#cluster(operation.cluster);
        const place = placesFrom(operation.slot).find((one) => cluster.foreign.has(placeKey(one)));
        if (place !== undefined) {
          cluster.foreign.delete(placeKey(place));
          cluster.drop(place);
        }
        break;
      }
      case 'delete-namespace': {
        const { namespace, absentMs } = operation;
        const cluster = this.#cluster(operation.cluster);
        cluster.deleteNamespace(namespace);
        this.#later(absentMs, () => cluster.createNamespace(namespace));
        break;
      }
      case 'contexts':
        this.#contexts.apply(operation);
        this.#history.recordContexts(this.#contexts.all);
        for (const process of this.#processes) {
          process.contextsChanged();
        }
        break;
      case 'kill-controller':
        this.#end(operation.controller, operation.ms, leaseMs);
        break;
      case 'stop-controller':
        this.#end(operation.controller, operation.ms, lastRequestsMs);
        break;
      case 'suspend-controller':
        this.#suspend(operation.controller, operation.ms);
        break;
      case 'kill-server':
        this.#fault(this.#cluster(operation.cluster), { kind: 'refuse' }, operation.ms, undefined);
        break;
      case 'pause-server':
        this.#fault(this.#cluster(operation.cluster), { kind: 'silent' }, operation.ms, undefined);
        break;
      case 'fault':
        // By its duration: the one controller, the other, or both.
        this.#fault(
          this.#cluster(operation.cluster),
          operation.fault,
          operation.ms,
          [0, 1, undefined][operation.ms % 3],
        );
        break;
      case 'rights':
        this.#fault(this.#cluster(operation.cluster), { kind: 'forbid' }, operation.ms, undefined);
        break;
      case 'compact':
        this.#cluster(operation.cluster).api.compact();
        break;
      case 'snapshot': {
        const cluster = this.#cluster(operation.cluster);
        cluster.snapshot = { state: cluster.api.save(), foreign: new Map(cluster.foreign) };
        break;
      }
      case 'restore':
        this.#restore(this.#cluster(operation.cluster));
        break;
      case 'replica':
        // What a stale server shows is late; what is read of it is not.
        this.#fault(
          this.#cluster(operation.cluster),
          { kind: 'delay-events', ms: operation.ms },
          operation.ms,
          undefined,
        );
        if (operation.restart) {
          this.#end(this.#leader, 0, leaseMs);
        }
        break;
      case 'upgrade':
      case 'clock':
      case 'policies':
      case 'trap':
      case 'swap':
      case 'rebuild':
        break;
    }
  }

  /** A controller dies and starts again after `ms`; where it led, one leads again after `vacantMs`. */
  #end(number: number, ms: number, vacantMs: number): void {
    this.#process(number).kill();
    if (this.#leaders === 2) {
      this.#later(ms, () => this.#process(number).start());
    } else if (number === this.#leader) {
      this.#passOn(vacantMs);
    }
  }

  /**
   * A controller stands still: what it asks for arrives when it goes on. A leader that was away for longer than its Lease is held finds
   * out at once, and others led meanwhile.
   */
  #suspend(number: number, ms: number): void {
    for (const cluster of this.#clusters) {
      this.#fault(cluster, { kind: 'stand-still', ms }, ms, number);
    }
    if (this.#leaders === 1 && number === this.#leader && ms > leaseMs) {
      this.#passOn(leaseMs);
      this.#later(ms, () => {
        this.#process(number).kill();
        if (this.#leader === number) {
          this.#process(number).start();
        }
      });
    }
  }

  #passOn(vacantMs: number): void {
    const next = 1 - this.#leader;
    this.#leader = next;
    this.#later(vacantMs, () => {
      if (this.#leader === next) {
        this.#process(next).start();
      }
    });
  }

  #putSource(place: Place, list: string | null, spec: ContentSpec): void {
    const { labels, annotations } = metadataOf(spec);
    const metadata = {
      labels,
      annotations: { ...annotations, ...(list === null ? {} : { [listAnnotation]: list }) },
    };
    this.#record(place, this.#cluster(0).put(place, { metadata, ...contentOf(place.kind, spec) }));
  }

  #deleteSource(place: Place): void {
    if (this.#cluster(0).find(place) !== undefined) {
      this.#cluster(0).drop(place);
      this.#record(place, undefined);
    }
  }

  #record(place: Place, object: ApiObject | undefined): void {
    this.#history.record(placeKey(place), this.#clock.now(), object);
  }

  #listOf(place: Place): string | null {
    const source = this.#cluster(0).find(place);
    return source === undefined ? 'first,second' : (source.metadata.annotations?.[listAnnotation] ?? null);
  }

  #disturb(
    cluster: SimulatedCluster,
    operation: Extract<Operation, { op: 'edit-copy' | 'delete-copy' | 'hold-copy' }>,
  ): void {
    const place = placesFrom(operation.slot).find(
      (one) =>
        cluster.find(one) !== undefined &&
        !cluster.foreign.has(placeKey(one)) &&
        cluster.mayDisturb(placeKey(one)),
    );
    const copy = place === undefined ? undefined : cluster.find(place);
    if (place === undefined || copy === undefined) {
      return;
    }
    switch (operation.op) {
      case 'delete-copy':
        cluster.drop(place);
        break;
      case 'hold-copy': {
        cluster.put(place, { ...copy, metadata: { ...copy.metadata, finalizers: ['chaos.example/hold'] } });
        cluster.drop(place);
        this.#later(operation.ms, () => {
          const held = cluster.find(place);
          if (held?.metadata.deletionTimestamp !== undefined) {
            // Somebody may have made it foreign meanwhile; it goes all the same.
            cluster.foreign.delete(placeKey(place));
            cluster.put(place, { ...held, metadata: { ...held.metadata, finalizers: [] } });
          }
        });
        break;
      }
      case 'edit-copy':
        if (operation.edit === 'orphan') {
          cluster.drop(place);
          break;
        }
        this.#register(cluster, place, cluster.put(place, edited(place, copy, operation.edit)));
        break;
    }
  }

  #putForeign(cluster: SimulatedCluster, place: Place, way: ForeignWay, spec: ContentSpec): void {
    const key = placeKey(place);
    if (!cluster.hasNamespace(place.namespace)) {
      return;
    }
    const present = cluster.find(place);
    if (present !== undefined && !cluster.foreign.has(key) && !cluster.mayDisturb(key)) {
      return;
    }
    cluster.foreign.delete(key);
    if (present !== undefined) {
      cluster.drop(place);
    }
    if (cluster.find(place) === undefined) {
      const marks = this.#marksOf(cluster, place, way);
      const stored = cluster.put(place, {
        metadata: marks,
        ...contentOf(place.kind, { ...spec, immutable: false }),
      });
      this.#register(cluster, place, stored);
    }
  }

  #marksOf(cluster: SimulatedCluster, { namespace, name }: Place, way: ForeignWay): object {
    const labels = Object.fromEntries(originLabels.map((label) => [label, 'hub']));
    const mark = (clusterUID: string): object => ({
      labels,
      annotations: {
        [originAnnotation]: JSON.stringify({
          namespace: 'a',
          name,
          uid: 'forged',
          resourceVersion: '1',
          clusterUID,
          copy: { namespace, name },
          context: 'first',
        }),
      },
    });
    switch (way) {
      case 'plain':
        return {};
      case 'garbage':
        return {
          labels,
          annotations: { [originAnnotation]: '{"__proto__":{"name":"one","namespace":"a"}}' },
        };
      case 'other-cluster':
        return mark('another');
      case 'orphan':
        return mark(sourceCluster.uid);
      case 'clone': {
        const model = cluster
          .objects()
          .find(
            ({ object }) => originOf(object)?.copy !== undefined && object.metadata.namespace !== namespace,
          );
        const { labels: copied = {}, annotations = {} } = model?.object.metadata ?? {};
        return { labels: copied, annotations };
      }
    }
  }

  #register(cluster: SimulatedCluster, place: Place, object: ApiObject): void {
    if (ownerOf(object, sourceCluster.uid, undefined) === 'foreign') {
      cluster.foreign.set(placeKey(place), object);
    }
  }

  #restore(cluster: SimulatedCluster): void {
    if (cluster.snapshot === undefined) {
      return;
    }
    const now = this.#clock.now();
    const before = new Map(cluster.objects().map(({ kind, object }) => [keyOf(kind, object), object]));
    cluster.restore(now);
    // It takes a while, and is an outage: one that nobody notices shows in no watch, and is found by the next list.
    this.#fault(cluster, { kind: 'refuse' }, restoreMs, undefined);
    if (cluster.number !== 0) {
      return;
    }
    const after = new Map(cluster.objects().map(({ kind, object }) => [keyOf(kind, object), object]));
    for (const key of new Set([...before.keys(), ...after.keys()])) {
      if (before.get(key)?.metadata.resourceVersion !== after.get(key)?.metadata.resourceVersion) {
        this.#history.record(key, now, after.get(key), 'restore');
      }
    }
    this.#history.recordRestore(now, now);
    for (const process of this.#processes) {
      process.sourceRestored();
    }
  }

  #fault(
    cluster: SimulatedCluster,
    fault: Parameters<SimulatedCluster['inject']>[0],
    ms: number,
    process: number | undefined,
  ): void {
    this.#later(ms, cluster.inject(fault, process));
  }

  /** Quiet points wait for it. */
  #later(ms: number, act: () => void): void {
    this.#pending++;
    this.#clock.schedule(ms, () => {
      this.#pending--;
      act();
    });
  }

  #wrote(
    cluster: SimulatedCluster,
    user: string,
    { verb, resource, namespace, name, request, stored }: FakeWrite,
  ): void {
    const now = this.#clock.now();
    if (user !== 'admin') {
      this.#lastChange = this.#clock.monotonic();
    }
    const { number, name: clusterName, resets } = cluster;
    this.#violations.push(
      ...this.#judge.judge(
        { number, name: clusterName, resets },
        {
          verb,
          user,
          resource: resource.plural,
          namespace: namespace ?? '',
          name,
          status: 200,
          receivedAt: now,
          answeredAt: now,
          request,
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the fake stores is what a server shows
          stored: stored as unknown as ApiObject | undefined,
        },
      ),
    );
  }

  #connect(server: string, process: number, isDead: () => boolean): FakeApi {
    const { hostname } = new URL(server);
    const [, number] = /^cluster-(\d)/.exec(hostname) ?? [];
    if (number !== undefined) {
      return this.#cluster(Number(number)).connect(process, isDead);
    }
    const api = new FakeApi(this.#clock, server);
    api.fault = () => ({ before: new TransportError('ConnectionRefused', false, '') });
    return api;
  }

  #entries(): readonly ContextEntry[] {
    return this.#contexts.all.map(({ name, cluster, namespace, way }) => {
      const host =
        cluster === undefined ? 'nowhere' : `cluster-${cluster}${way === 'direct' ? '-direct' : ''}`;
      const server = `https://${host}.example:6443`;
      const connection = { server, fingerprint: `${host} ${this.#contexts.generation}` };
      return { name, server, connection, ...(namespace === undefined ? {} : { namespace }) };
    });
  }

  #cluster(number: number): SimulatedCluster {
    return member(this.#clusters, number);
  }

  #process(number: number): SimulatedProcess {
    return member(this.#processes, number);
  }
}

function member<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) {
    throw new RangeError(`there is no ${index}`);
  }
  return item;
}

function at(places: readonly Place[], slot: number): Place {
  return member(places, slot);
}

function keyOf(kind: Place['kind'], { metadata: { namespace, name } }: ApiObject): string {
  return placeKey({ kind, namespace, name });
}

function placesFrom(slot: number): readonly Place[] {
  return [...copySlots.slice(slot), ...copySlots.slice(0, slot)];
}

function withList(source: ApiObject, list: string | null): ApiObject {
  const { [listAnnotation]: _, ...annotations } = source.metadata.annotations ?? {};
  return {
    ...source,
    metadata: {
      ...source.metadata,
      annotations: { ...annotations, ...(list === null ? {} : { [listAnnotation]: list }) },
    },
  };
}

function edited(
  { kind }: Place,
  copy: ApiObject,
  edit: Extract<Operation, { op: 'edit-copy' }>['edit'],
): ApiObject {
  const value = kind === 'Secret' ? Buffer.from(payloadMark).toString('base64') : payloadMark;
  const { labels = {}, annotations = {} } = copy.metadata;
  const withMetadata = (metadata: Partial<ApiObject['metadata']>): ApiObject => ({
    ...copy,
    metadata: { ...copy.metadata, ...metadata },
  });
  switch (edit) {
    case 'data':
      return copy.immutable === true ? copy : { ...copy, data: { ...copy.data, added: value } };
    case 'labels':
      return withMetadata({ labels: { ...labels, ...editedLabel(copy) } });
    case 'strip-labels':
      return withMetadata({
        labels: Object.fromEntries(Object.entries(labels).filter(([key]) => !originLabels.includes(key))),
      });
    case 'strip-origin': {
      const { [originAnnotation]: _, ...rest } = annotations;
      return withMetadata({ annotations: rest });
    }
    case 'orphan':
    case 'addition':
      return withMetadata({ labels: { ...labels, [`${additionPrefix}x`]: 'y' } });
  }
}

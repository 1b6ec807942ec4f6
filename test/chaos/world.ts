import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureControllerManager } from '../sandbox/binaries/controller-manager.ts';
import { HttpFaultProxy } from '../sandbox/network/http-fault-proxy.ts';
import {
  type ContextSpec,
  type ControlPlane,
  type Sandbox,
  type Snapshot,
  startSandbox,
} from '../sandbox/sandbox.ts';
import { giveRights, grantRights, userOf, users } from './access.ts';
import { type ApiObject, listObjects, placeOf, send } from './api-object.ts';
import { type ChaosContext, Contexts } from './contexts.ts';
import { Controller } from './controller.ts';
import { History } from './history.ts';
import type { Journal } from './journal.ts';
import { namespaces, ownNamespace, placeKey } from './slots.ts';

export interface WorldOptions {
  readonly targets: number;
  readonly journal: Journal;
  /** The file to run instead of the built program. */
  readonly program?: string;
  /** Whether a kube-controller-manager runs on each target. */
  readonly managers?: boolean;
  /** The file of 0.1, where controllers begin with that. */
  readonly oldProgram?: string | undefined;
}

/** One cluster, with what we know of it. */
export interface Cluster {
  readonly number: number;
  readonly plane: ControlPlane;
  readonly proxy: HttpFaultProxy;
  /** Foreign objects on it, which nobody may touch, by place: exactly as we left them. */
  foreign: Map<string, ApiObject>;
  snapshot: { readonly data: Snapshot; readonly foreign: ReadonlyMap<string, ApiObject> } | undefined;
  /** Whether its API server answers; while it does not, operations on it do nothing. */
  isUp: boolean;
  /** Whether a second API server of it runs or starts. */
  hasReplica: boolean;
  /** How often a copy was disturbed, by place. */
  readonly disturbances: Map<string, number>;
  readonly pendingNamespaces: Set<string>;
  /** When its data was replaced, by our clock: versions before and after do not compare. */
  readonly resets: number[];
}

/**
 * The repairs of one copy that a controller makes without a pause. A fifth in ten minutes makes it a contested copy,
 * which is left for minutes: true to the rules, and too long to wait for.
 */
const maxDisturbances = 4;
const retryMs = 100;
const retries = 900;

/** A source, targets, a proxy before each, two controllers, and the record of what we did to them. */
export class World implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly clusters: readonly Cluster[];
  readonly controllers: readonly Controller[];
  readonly contexts: Contexts;
  readonly history = new History();
  readonly journal: Journal;
  readonly #background = new Set<Promise<void>>();
  readonly #failures: string[] = [];
  /** Whether a kube-controller-manager runs on each target. */
  readonly hasManagers: boolean;
  sourceUid = '';
  /** Identity of the source cluster before it was rebuilt. */
  takeOverUid: string | undefined;

  private constructor(
    sandbox: Sandbox,
    clusters: readonly Cluster[],
    { targets, journal, program, oldProgram, managers = false }: WorldOptions,
  ) {
    this.sandbox = sandbox;
    this.clusters = clusters;
    this.contexts = new Contexts(targets);
    this.journal = journal;
    this.hasManagers = managers;
    this.controllers = [0, 1].map(
      (number) =>
        new Controller(number, {
          args: (isOld) => this.#controllerArguments(number, isOld),
          program,
          oldProgram,
          clockFile: join(sandbox.folder, `clock-${number}`),
        }),
    );
  }

  /** Starts all of it, but no controller. */
  static async start(options: WorldOptions): Promise<World> {
    const sandbox = await startSandbox({
      targets: options.targets,
      users,
      audit: 'bodies',
      sharedCredentials: true,
    });
    const clusters = await Promise.all(
      [sandbox.source, ...sandbox.targets].map(
        async (plane, number): Promise<Cluster> => ({
          number,
          plane,
          proxy: await HttpFaultProxy.start(plane, plane.ca),
          foreign: new Map(),
          snapshot: undefined,
          isUp: true,
          hasReplica: false,
          disturbances: new Map(),
          pendingNamespaces: new Set(),
          resets: [],
        }),
      ),
    );
    const world = new World(sandbox, clusters, options);
    await Promise.all(clusters.map((cluster) => world.lay(cluster)));
    await world.#writeOwnKubeconfigs();
    if (world.hasManagers) {
      const binary = await ensureControllerManager(process.env, (line) => options.journal.write(line));
      await Promise.all(world.targets.map(async ({ plane }) => await plane.startControllerManager(binary)));
    }
    await world.usePolicies(null);
    await world.writeContexts();
    return world;
  }

  cluster(number: number): Cluster {
    const cluster = this.clusters[number];
    if (cluster === undefined) {
      throw new RangeError(`there is no cluster ${number}`);
    }
    return cluster;
  }

  get source(): Cluster {
    return this.cluster(0);
  }

  get targets(): readonly Cluster[] {
    return this.clusters.slice(1);
  }

  startControllers(): void {
    for (const controller of this.controllers) {
      controller.start();
    }
  }

  /** Makes what every cluster has: namespaces and rights. For an empty cluster, or one that went back. */
  async lay({ number, plane }: Cluster): Promise<void> {
    for (const name of number === 0 ? [...namespaces, ownNamespace] : namespaces) {
      await send(plane, 'POST', '/api/v1/namespaces', { metadata: { name } });
    }
    const role = await send(plane, 'GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/syncer');
    if (role.status === 404) {
      await grantRights(plane, number === 0);
    }
    await giveRights(plane);
    if (number === 0) {
      const { body } = await plane.request<ApiObject>('GET', '/api/v1/namespaces/kube-system');
      this.sourceUid = body.metadata.uid;
    }
  }

  /** Records what the source cluster holds now, where it differs from what was recorded last: after it went back. */
  async rereadSources(since: number, cause: 'restore' | 'rebuild'): Promise<void> {
    const present = new Map(
      (await listObjects(this.source.plane)).map((one) => [placeKey(placeOf(one)), one.object]),
    );
    for (const key of new Set([...this.history.keys, ...present.keys()])) {
      const before = this.history.statesOf(key).at(-1)?.object;
      const now = present.get(key);
      if (before?.uid !== now?.metadata.uid || before?.resourceVersion !== now?.metadata.resourceVersion) {
        this.history.record(key, since, now, cause);
      }
    }
  }

  /** Writes the kubeconfigs of both controllers, or this text into their place. */
  async writeContexts(text?: (good: string) => string): Promise<void> {
    if (text === undefined) {
      this.history.recordContexts(this.contexts.all);
    }
    for (const { number } of this.controllers) {
      const file = this.#contextsFile(number);
      const good = this.#kubeconfig(number);
      if (text === undefined) {
        await writeFile(`${file}.new`, good, { mode: 0o600 });
        await rename(`${file}.new`, file);
      } else {
        await writeFile(file, text(good), { mode: 0o600 });
      }
    }
  }

  /** Policies keep the sources of the namespace from context `second`, once the controllers were started anew. */
  async usePolicies(denied: string | null): Promise<void> {
    this.contexts.deny(denied);
    this.history.recordContexts(this.contexts.all);
    const allowed = ['a', 'b'].filter((namespace) => namespace !== denied);
    await writeFile(
      this.#configFile,
      JSON.stringify({ policies: [{ contexts: ['second'], sourceNamespaces: allowed }] }),
    );
  }

  /** The controller whose token this is. */
  controllerOf(token: string): Controller | undefined {
    return this.controllers.find(({ number }) =>
      [0, 1].some((generation) => this.source.plane.userToken(userOf(number, generation)) === token),
    );
  }

  /** Whether a controller of 0.1 wrote it. */
  isOfOld({ user, receivedAt }: { readonly user: string; readonly receivedAt: number }): boolean {
    return this.controllers.some(
      ({ number, presentSince }) =>
        receivedAt < presentSince && [0, 1].some((generation) => userOf(number, generation) === user),
    );
  }

  /** False where the copy was disturbed so often that it would be contested; counts it otherwise. */
  mayDisturb(cluster: Cluster, key: string): boolean {
    const count = (cluster.disturbances.get(key) ?? 0) + 1;
    if (count > maxDisturbances) {
      return false;
    }
    cluster.disturbances.set(key, count);
    return true;
  }

  /** Goes on in the background; `settled` waits for it. */
  inBackground(what: string, act: () => Promise<void>): void {
    const running = act()
      .catch((error: unknown) => {
        this.#failures.push(`${what}: ${String(error)}`);
      })
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
  }

  /** The same, after a while. */
  later(what: string, ms: number, act: () => Promise<void>): void {
    this.inBackground(what, async () => {
      await sleep(ms);
      this.journal.write(`        ${what}`);
      await act();
    });
  }

  /** Resolves when everything in the background has ended. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) {
      await Promise.all(this.#background);
    }
  }

  /** What failed in the background: the harness's own trouble. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Tries again while the cluster does not answer. */
  async persist(act: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await act();
        return;
      } catch (error) {
        if (attempt === retries) {
          throw error;
        }
        await sleep(retryMs);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.controllers.map((controller) => controller.close()));
    await Promise.all(this.clusters.map(({ proxy }) => proxy.close()));
    await this.sandbox.stop();
  }

  /** The configuration file of both controllers. */
  get #configFile(): string {
    return join(this.sandbox.folder, 'controller.yaml');
  }

  #contextsFile(controller: number): string {
    return join(this.sandbox.folder, `contexts-${controller}.yaml`);
  }

  #kubeconfig(controller: number): string {
    const token = this.source.plane.userToken(userOf(controller, this.contexts.generation));
    return this.sandbox.contextsKubeconfig(this.contexts.all.map((context) => this.#spec(context, token)));
  }

  #spec({ name, cluster, namespace, way }: ChaosContext, token: string): ContextSpec {
    const { plane, proxy } = this.cluster(cluster ?? 1);
    const server = {
      proxy: proxy.url,
      direct: `https://localhost:${plane.port}`,
      nowhere: 'https://127.0.0.1:1',
      // An address of its own: by a shared one it would be the same cluster.
      'no-credentials': `https://localhost:${plane.port}`,
    }[way];
    return {
      name,
      cluster: plane,
      server,
      user: { token: way === 'no-credentials' ? 'unknown-token' : token },
      ...(namespace === undefined ? {} : { namespace }),
    };
  }

  #controllerArguments(number: number, isOld: boolean): readonly string[] {
    return [
      'controller',
      // 0.1 knows no policies.
      ...(isOld ? [] : [`--config=${this.#configFile}`]),
      '--cluster-name=hub',
      `--kubeconfig=${this.#ownKubeconfig(number)}`,
      `--contexts-kubeconfig=${this.#contextsFile(number)}`,
      '--health-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      '--log-level=debug',
      ...(this.takeOverUid === undefined ? [] : [`--take-over-from-uid=${this.takeOverUid}`]),
    ];
  }

  #ownKubeconfig(number: number): string {
    return join(this.sandbox.folder, `own-${number}.yaml`);
  }

  /** The kubeconfigs by which the controllers reach the source. */
  async #writeOwnKubeconfigs(): Promise<void> {
    const { plane, proxy } = this.source;
    for (const { number } of this.controllers) {
      const user = { token: plane.userToken(userOf(number, 0)) };
      await writeFile(
        this.#ownKubeconfig(number),
        this.sandbox.contextsKubeconfig([{ name: 'source', cluster: plane, server: proxy.url, user }]),
        { mode: 0o600 },
      );
    }
  }
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Program } from '../harness/program.ts';
import { syncContexts } from '../harness/stage.ts';
import { ClusterProxy } from '../sandbox/network/cluster-proxy.ts';
import type { ProxiedCluster } from '../sandbox/network/virtual-cluster.ts';
import { type ControlPlane, type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import { Copies, sourceName } from './copies.ts';
import { inFlight } from './in-flight.ts';
import type { Endpoint, Job, ReferenceTask } from './reference/task.ts';
import { requestsOfPlane, Tally } from './tally.ts';

/** The namespace of all sources and copies, as the product sees it. */
export const benchNamespace = 'bench-00000';
const ownNamespace = 'context-syncer';
/** Control planes that all target clusters are made of. */
const planes = 2;
const parallelWrites = 32;
const collection = `/api/v1/namespaces/${benchNamespace}/configmaps`;

export interface WorldOptions {
  /** How many target clusters. */
  readonly clusters: number;
  /** The first two control planes themselves, not through the proxy: for the shortest ways. */
  readonly direct?: boolean;
  /** Bytes of payload of each source. */
  readonly payloadBytes?: number;
}

/** A target cluster as kubeconfig, reference and observer know it. */
interface Target {
  readonly context: string;
  readonly plane: ControlPlane;
  readonly endpoint: Endpoint;
  /** The real name of `benchNamespace`. */
  readonly namespace: string;
}

/** Control planes, the target clusters made of them, and the sources of one case. */
export class World implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly proxy: ClusterProxy;
  readonly copies: Copies;
  /** Names of the target clusters at the proxy, which are those of their contexts. */
  readonly clusterNames: readonly string[];
  readonly #source: Endpoint;
  readonly #targets: readonly Target[];
  readonly #payload: string;
  readonly #programs: Program[] = [];
  readonly #direct: boolean;
  readonly #versions = new Map<string, number>();
  #version = 0;

  private constructor(
    sandbox: Sandbox,
    proxy: ClusterProxy,
    targets: readonly Target[],
    options: WorldOptions,
  ) {
    const { source } = sandbox;
    this.sandbox = sandbox;
    this.proxy = proxy;
    this.#source = { url: `${proxy.url}/source`, caPem: source.caPem, token: source.adminToken };
    this.#targets = targets;
    this.#direct = options.direct === true;
    this.#payload = 'x'.repeat(options.payloadBytes ?? 1000);
    this.clusterNames = targets.map(({ context }) => context);
    this.copies = new Copies(targets);
  }

  static async start(options: WorldOptions): Promise<World> {
    const sandbox = await startSandbox({ targets: planes });
    try {
      const world = await prepare(sandbox, options);
      await world.copies.start();
      return world;
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
  }

  static of(sandbox: Sandbox, proxy: ClusterProxy, targets: readonly Target[], options: WorldOptions): World {
    return new World(sandbox, proxy, targets, options);
  }

  /** `count` sources, each in `clusters` of the target clusters, which get equally many. */
  jobs(count: number, clusters: number): readonly Job[] {
    const all = this.#targets.length;
    const stride = Math.max(1, Math.floor(all / clusters));
    return Array.from({ length: count }, (_, index) => ({
      name: sourceName(index),
      targets: Array.from({ length: clusters }, (_, turn) => (index + turn * stride) % all),
    }));
  }

  /** Makes the sources, with a content of their own version. */
  async createSources(jobs: readonly Job[]): Promise<void> {
    const version = this.#nextVersion(jobs);
    await inFlight(parallelWrites, jobs, async ({ name, targets }) => {
      const contexts = targets.map((target) => this.clusterNames[target]).join(',');
      await this.sandbox.source.request('POST', collection, {
        metadata: { name, labels: { bench: 'source' }, annotations: { [syncContexts]: contexts } },
        data: { version: String(version), payload: this.#payload },
      });
    });
  }

  /** Changes the content of the sources; yields its version. */
  async updateSources(jobs: readonly Job[]): Promise<number> {
    const version = this.#nextVersion(jobs);
    await inFlight(parallelWrites, jobs, ({ name }) =>
      this.#patch(name, { data: { version: String(version) } }),
    );
    return version;
  }

  /** From now on every copy of these sources should have its source's version. */
  expectInSync(jobs: readonly Job[]): void {
    this.copies.expect(jobs, (name) => this.#versions.get(name) ?? 0);
  }

  /** Requests so far, of all clusters. Where the proxy does not see them, the control planes' own counts. */
  async tally(): Promise<Tally> {
    const { requests } = await this.proxy.counts();
    const direct = this.#direct ? await Promise.all(this.#targets.map(requestsOfPlane)) : [];
    return new Tally([...requests, ...direct.flat()]);
  }

  /** Takes the annotation off one source. */
  async releaseSource({ name }: Job): Promise<void> {
    this.#versions.delete(name);
    await this.#patch(name, { metadata: { annotations: { [syncContexts]: null } } });
  }

  async deleteSources(jobs: readonly Job[]): Promise<void> {
    for (const { name } of jobs) {
      this.#versions.delete(name);
    }
    await this.sandbox.source.request('DELETE', collection);
  }

  /** Removes all copies, also those of the reference. No program may be running. */
  async wipeCopies(): Promise<void> {
    await inFlight(parallelWrites, this.copies.existing(), ({ target, name }) => {
      const { plane, namespace } = targetOf(this.#targets, target);
      return plane.request('DELETE', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
    });
  }

  /** Starts the built program with its default settings, the kubeconfigs and free ports. */
  async startProgram(env: Readonly<Record<string, string>> = {}): Promise<Program> {
    const { folder, source } = this.sandbox;
    const address = { url: this.#source.url, caPem: source.caPem, adminToken: source.adminToken };
    const kubeconfig = join(folder, 'source.kubeconfig');
    const contexts = join(folder, 'contexts.kubeconfig');
    const entries = this.#targets.map(({ context, endpoint: { url, caPem, token } }) => ({
      name: context,
      cluster: { url, caPem, adminToken: token },
    }));
    const write = async (file: string, text: string): Promise<void> =>
      await writeFile(file, text, { mode: 0o600 });
    await write(kubeconfig, this.sandbox.contextsKubeconfig([{ name: 'source', cluster: address }]));
    await write(contexts, this.sandbox.contextsKubeconfig(entries));
    const flags = {
      'cluster-name': 'hub',
      kubeconfig,
      'contexts-kubeconfig': contexts,
      'health-address': '127.0.0.1:0',
      'metrics-address': '127.0.0.1:0',
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const program = new Program(['controller', ...args], env);
    this.#programs.push(program);
    return program;
  }

  /** What the reference needs to know for a task. */
  task(what: ReferenceTask['do'], jobs: readonly Job[], inFlightLimit = 32): ReferenceTask {
    const targets = this.#targets.map(({ endpoint }) => endpoint);
    const namespace = benchNamespace;
    return { do: what, source: this.#source, targets, namespace, jobs, inFlight: inFlightLimit };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.filter(({ running }) => running).map((program) => program.kill()));
    await this.copies.stop();
    await this.proxy[Symbol.asyncDispose]();
    await this.sandbox.stop();
  }

  #nextVersion(jobs: readonly Job[]): number {
    this.#version++;
    for (const { name } of jobs) {
      this.#versions.set(name, this.#version);
    }
    return this.#version;
  }

  async #patch(name: string, patch: object): Promise<void> {
    await this.sandbox.source.request('PATCH', `${collection}/${name}`, patch, {
      contentType: 'application/merge-patch+json',
    });
  }
}

function targetOf(targets: readonly Target[], index: number): Target {
  const target = targets[index];
  if (target === undefined) {
    throw new Error(`there is no target ${index}`);
  }
  return target;
}

async function prepare(sandbox: Sandbox, options: WorldOptions): Promise<World> {
  const { source, targets } = sandbox;
  const serving = await source.ca.serving({ dns: ['localhost'], ip: ['127.0.0.1'] });
  const real = (index: number): string =>
    options.direct === true ? benchNamespace : `bench-${String(index + 1).padStart(5, '0')}`;
  const virtual = Array.from({ length: options.clusters }, (_, index): ProxiedCluster => {
    return {
      name: `context-${index + 1}`,
      upstream: 1 + (index % planes),
      namespace: { shown: benchNamespace, real: real(index) },
    };
  });
  const proxy = await ClusterProxy.start({
    ...serving,
    upstreams: [source, ...targets],
    clusters: [{ name: 'source', upstream: 0 }, ...virtual],
  });
  const made = virtual.map(({ name }, index): Target => {
    const plane = targets[index % planes];
    if (plane === undefined) {
      throw new Error('the sandbox has too few targets');
    }
    const { url, caPem } =
      options.direct === true ? plane : { url: `${proxy.url}/${name}`, caPem: source.caPem };
    return {
      context: name,
      plane,
      endpoint: { url, caPem, token: plane.adminToken },
      namespace: real(index),
    };
  });
  const create = (plane: ControlPlane, name: string): Promise<unknown> =>
    plane.request('POST', '/api/v1/namespaces', { metadata: { name } });
  await Promise.all([create(source, ownNamespace), create(source, benchNamespace)]);
  await inFlight(parallelWrites, made, ({ plane, namespace }) => create(plane, namespace));
  return World.of(sandbox, proxy, made, options);
}

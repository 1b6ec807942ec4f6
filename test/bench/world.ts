import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Program } from '../harness/program.ts';
import type { ClusterProxy } from '../sandbox/network/cluster-proxy.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import { Copies, sourceName } from './copies.ts';
import { inFlight } from './in-flight.ts';
import type { Endpoint, Job, ReferenceTask } from './reference/task.ts';
import { requestsOfPlane, Tally } from './tally.ts';
import { benchNamespace, planes, prepareTargets, type Target, type WorldOptions } from './targets.ts';

/** The product's default; stated here, since no test framework should run beside the measurement. */
const syncContexts = 'kubed.appscode.com/sync-contexts';
const parallelWrites = 32;
/** Until the observer has seen that deleted copies are gone. */
const wipeMs = 60_000;
const collection = `/api/v1/namespaces/${benchNamespace}/configmaps`;

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
    // Also when the bench is interrupted: nothing else ends the programs then.
    process.once('exit', () => {
      for (const { pid } of this.#programs.filter(({ running }) => running)) {
        process.kill(pid, 'SIGKILL');
      }
    });
  }

  static async start(options: WorldOptions): Promise<World> {
    const sandbox = await startSandbox({ targets: planes });
    try {
      const { proxy, targets } = await prepareTargets(sandbox, options);
      const world = new World(sandbox, proxy, targets, options);
      await world.copies.start();
      return world;
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
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
    const requests = await this.proxy.counts();
    const direct = this.#direct ? await Promise.all(this.#targets.map(requestsOfPlane)) : [];
    return new Tally([...requests, ...direct.flat()]);
  }

  /** Takes the annotation off one source. */
  async releaseSource({ name }: Job): Promise<void> {
    this.#versions.delete(name);
    await this.#patch(name, { metadata: { annotations: { [syncContexts]: null } } });
  }

  async deleteSource({ name }: Job): Promise<void> {
    this.#versions.delete(name);
    await this.sandbox.source.request('DELETE', `${collection}/${name}`);
  }

  async deleteSources(jobs: readonly Job[]): Promise<void> {
    for (const { name } of jobs) {
      this.#versions.delete(name);
    }
    await this.sandbox.source.request('DELETE', collection);
  }

  /** Removes all copies, also those of the reference. No program may be running. */
  async wipeCopies(): Promise<void> {
    this.copies.expect([], () => 0);
    await inFlight(parallelWrites, this.copies.existing(), ({ target, name }) => {
      const { plane, namespace } = targetOf(this.#targets, target);
      return plane.request('DELETE', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
    });
    await this.copies.reached(performance.now() + wipeMs, 'removal of all copies');
  }

  /** Starts the built program with its default settings but for these, the kubeconfigs and free ports. */
  async startProgram(
    env: Readonly<Record<string, string>> = {},
    settings: Readonly<Record<string, string>> = {},
  ): Promise<Program> {
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
      ...settings,
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

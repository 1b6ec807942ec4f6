/**
 * The reference: the same requests as the product's, sent by a plain loop. It has no queue, no index, no retries and no
 * safety, and uses none of the product's code. It gets its task over IPC and says when it is done.
 */
import { Pool } from 'undici';
import { trustedJson } from '../../sandbox/json.ts';
import { inFlight } from '../in-flight.ts';
import type { Endpoint, Job, ReferenceMessage, ReferenceTask } from './task.ts';

const partialMetadata = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const partialList = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

interface SourceObject {
  readonly metadata: { readonly uid: string; readonly labels: object; readonly resourceVersion: string };
  readonly data: object;
}

/** One cluster, over connections that all clusters of one host share. */
class Client {
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #authorization: string;

  constructor({ url, caPem, token }: Endpoint, connections: number, pools: Map<string, Pool>) {
    const { origin, pathname } = new URL(url);
    const pool =
      pools.get(origin) ??
      new Pool(origin, { connections, connect: { ca: caPem }, bodyTimeout: 0, allowH2: false });
    pools.set(origin, pool);
    this.#pool = pool;
    this.#prefix = pathname === '/' ? '' : pathname;
    this.#authorization = `Bearer ${token}`;
  }

  async send(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: string,
    accept = 'application/json',
  ) {
    return await this.#pool.request({
      method,
      path: this.#prefix + path,
      headers: { authorization: this.#authorization, accept, 'content-type': 'application/json' },
      body: body ?? null,
    });
  }

  /** The answer's text; throws when it is a failure that is not `allowed`. */
  async text(...[method, path, body, accept]: Parameters<Client['send']>): Promise<string> {
    const answer = await this.send(method, path, body, accept);
    const text = await answer.body.text();
    if (answer.statusCode >= 400 && answer.statusCode !== 404) {
      throw new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 300)}`);
    }
    return text;
  }
}

class Reference {
  readonly #task: ReferenceTask;
  readonly #source: Client;
  readonly #watch: Client;
  readonly #targets: readonly Client[];
  readonly #collection: string;

  constructor(task: ReferenceTask) {
    const pools = new Map<string, Pool>();
    this.#task = task;
    this.#source = new Client(task.source, task.inFlight, pools);
    this.#watch = new Client(task.source, 1, new Map());
    this.#targets = task.targets.map((target) => new Client(target, task.inFlight, pools));
    this.#collection = `/api/v1/namespaces/${task.namespace}/configmaps`;
  }

  async run(): Promise<void> {
    const { do: what, jobs } = this.#task;
    if (what === 'live') {
      await this.#live();
    } else if (what === 'lists') {
      await Promise.all([this.#source, ...this.#targets].map((client) => this.#list(client)));
    } else {
      await inFlight(this.#task.inFlight, jobs, async (job) => {
        const object = await this.#read(job.name);
        for (const target of job.targets) {
          await this.#write(what, target, job.name, object);
        }
      });
    }
  }

  async #read(name: string): Promise<SourceObject> {
    return trustedJson<SourceObject>(await this.#source.text('GET', `${this.#collection}/${name}`));
  }

  async #write(
    method: 'POST' | 'PUT' | 'DELETE',
    target: number,
    name: string,
    source: SourceObject,
  ): Promise<void> {
    const client = this.#targets[target];
    if (method === 'DELETE') {
      await client?.text('DELETE', `${this.#collection}/${name}`);
      return;
    }
    const { namespace } = this.#task;
    const { uid, labels, resourceVersion } = source.metadata;
    const origin = JSON.stringify({ namespace, name, uid, resourceVersion });
    const metadata = { name, namespace, labels, annotations: { 'bench.example.com/origin': origin } };
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: source.data });
    await client?.text(method, method === 'POST' ? this.#collection : `${this.#collection}/${name}`, body);
  }

  async #list(client: Client): Promise<string> {
    const text = await client.text('GET', `${this.#collection}?labelSelector=bench`, undefined, partialList);
    return trustedJson<{ metadata: { resourceVersion: string } }>(text).metadata.resourceVersion;
  }

  async #live(): Promise<void> {
    const targets = new Map(this.#task.jobs.map((job: Job) => [job.name, job.targets]));
    const version = await this.#list(this.#source);
    const path = `${this.#collection}?labelSelector=bench&watch=true&timeoutSeconds=7200&resourceVersion=${version}`;
    const { body } = await this.#watch.send('GET', path, undefined, partialMetadata);
    tell('ready');
    let rest = '';
    for await (const chunk of body) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { name } = trustedJson<{ object: { metadata: { name: string } } }>(line).object.metadata;
        void this.#follow(name, targets.get(name) ?? []);
      }
    }
  }

  async #follow(name: string, targets: readonly number[]): Promise<void> {
    const object = await this.#read(name);
    await Promise.all(targets.map((target) => this.#write('PUT', target, name, object)));
  }
}

function tell(message: ReferenceMessage): void {
  process.send?.(message);
}

process.once('disconnect', () => process.exit(0));
process.once('message', (message) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by reference-process.ts
  void new Reference(message as ReferenceTask).run().then(() => tell('done'));
});

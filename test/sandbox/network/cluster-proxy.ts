import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type {
  ClusterMode,
  ClusterProxyAnswer,
  ClusterProxyConfig,
  ClusterProxyRequest,
  RequestCount,
} from './cluster-proxy-protocol.ts';

export type { ClusterMode, RequestCount } from './cluster-proxy-protocol.ts';

const processFile = fileURLToPath(new URL('./cluster-proxy-process.ts', import.meta.url));

type Question = ClusterProxyRequest extends infer R
  ? R extends ClusterProxyRequest
    ? Omit<R, 'id'>
    : never
  : never;

/**
 * Makes many clusters of a few control planes: `https://127.0.0.1:PORT/NAME` is the cluster of that name (see
 * `ProxiedCluster`). It counts all requests, can be slow, and can fail for single clusters. It runs in a process of its
 * own, so that its work does not delay the caller's, and ends with the caller.
 */
export class ClusterProxy implements AsyncDisposable {
  readonly url: string;
  readonly #link: ProxyLink;

  private constructor(url: string, link: ProxyLink) {
    this.url = url;
    this.#link = link;
  }

  static async start(config: ClusterProxyConfig): Promise<ClusterProxy> {
    const link = new ProxyLink(fork(processFile, { serialization: 'json' }));
    // Getters, such as those of ControlPlane, would be lost on the way to the other process.
    const upstreams = config.upstreams.map(({ url, caPem }) => ({ url, caPem }));
    const answer = await link.ask({ do: 'start', config: { ...config, upstreams } });
    if (!('port' in answer)) {
      throw new Error('the cluster proxy did not name its port');
    }
    return new ClusterProxy(`https://127.0.0.1:${answer.port}`, link);
  }

  /** Changes how the named clusters behave from now on; what is absent stays as it is. */
  async set(
    clusters: readonly string[],
    change: { readonly mode?: ClusterMode; readonly roundTripMs?: number },
  ): Promise<void> {
    await this.#link.ask({ do: 'set', clusters, ...change });
  }

  /** All requests since the start; watches are counted when they begin. */
  async counts(): Promise<readonly RequestCount[]> {
    const answer = await this.#link.ask({ do: 'count' });
    if (!('counts' in answer)) {
      throw new Error('the cluster proxy did not count');
    }
    return answer.counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link.end();
  }
}

/** Questions and answers by number. */
class ProxyLink {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, PromiseWithResolvers<ClusterProxyAnswer>>();
  #last = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by cluster-proxy-process.ts
      const answer = message as ClusterProxyAnswer;
      this.#open.get(answer.id)?.resolve(answer);
      this.#open.delete(answer.id);
    });
    child.once('exit', (code) => {
      for (const { reject } of this.#open.values()) {
        reject(new Error(`the cluster proxy ended with status ${code}`));
      }
      this.#open.clear();
    });
  }

  async ask(question: Question): Promise<ClusterProxyAnswer> {
    const id = ++this.#last;
    const answer = Promise.withResolvers<ClusterProxyAnswer>();
    this.#open.set(id, answer);
    this.#child.send({ id, ...question });
    return await answer.promise;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
  }
}

import { Pool } from 'undici';
import { trustedJson } from '../sandbox/json.ts';
import type { ControlPlane } from '../sandbox/sandbox.ts';

/** What the bench looks at in a watch event. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: {
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly data?: Readonly<Record<string, string>>;
  };
}

/** Follows the ConfigMaps with label `bench` on a control plane, in all namespaces, over a connection of its own. */
export class ObjectWatch {
  readonly #plane: ControlPlane;
  readonly #onEvent: (event: WatchEvent, time: number) => void;
  readonly #pool: Pool;
  readonly #stop = new AbortController();
  #failure: string | undefined;

  /** @param onEvent gets each event with the `performance.now()` of its arrival */
  constructor(plane: ControlPlane, onEvent: (event: WatchEvent, time: number) => void) {
    this.#plane = plane;
    this.#onEvent = onEvent;
    this.#pool = new Pool(plane.url, {
      connections: 1,
      connect: { ca: plane.caPem },
      bodyTimeout: 0,
      allowH2: false,
    });
  }

  /** Why it has ended although nobody stopped it. */
  get failure(): string | undefined {
    return this.#failure;
  }

  async start(): Promise<void> {
    const { body: list } = await this.#plane.request<{ metadata: { resourceVersion: string } }>(
      'GET',
      '/api/v1/configmaps?labelSelector=bench&limit=1',
    );
    const version = list.metadata.resourceVersion;
    const answer = await this.#pool.request({
      method: 'GET',
      path: `/api/v1/configmaps?labelSelector=bench&watch=true&timeoutSeconds=7200&resourceVersion=${version}`,
      headers: { authorization: `Bearer ${this.#plane.adminToken}`, accept: 'application/json' },
      signal: this.#stop.signal,
    });
    void this.#read(answer.body);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#pool.destroy();
  }

  async #read(body: AsyncIterable<Buffer>): Promise<void> {
    let rest = Buffer.alloc(0);
    try {
      for await (const chunk of body) {
        const time = performance.now();
        let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10)) {
          this.#onEvent(trustedJson<WatchEvent>(bytes.toString('utf8', 0, end)), time);
          bytes = bytes.subarray(end + 1);
        }
        rest = Buffer.from(bytes);
      }
      this.#failure = `the watch of ${this.#plane.name} has ended`;
    } catch (error) {
      this.#failure = this.#stop.signal.aborted ? undefined : String(error);
    }
  }
}

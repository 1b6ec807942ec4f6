import { Pool } from 'undici';
import { trustedJson } from '../sandbox/json.ts';
import type { ControlPlane } from '../sandbox/sandbox.ts';

/** What the bench looks at in a watch event. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'ERROR';
  readonly object: {
    readonly metadata: {
      readonly name: string;
      readonly namespace: string;
      readonly resourceVersion: string;
    };
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
    void this.#follow(version, await this.#open(version));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#pool.destroy();
  }

  async #open(version: string): Promise<AsyncIterable<Buffer>> {
    const { statusCode, body } = await this.#pool.request({
      method: 'GET',
      path: `/api/v1/configmaps?labelSelector=bench&watch=true&timeoutSeconds=7200&resourceVersion=${version}`,
      headers: { authorization: `Bearer ${this.#plane.adminToken}`, accept: 'application/json' },
      signal: this.#stop.signal,
    });
    if (statusCode !== 200) {
      throw new Error(`${this.#plane.name} answers a watch with ${statusCode}: ${await body.text()}`);
    }
    return body;
  }

  /** An API server ends a watch whose client does not keep up for a moment; the next one goes on where it ended. */
  async #follow(from: string, first: AsyncIterable<Buffer>): Promise<void> {
    try {
      let [version, body] = [from, first];
      for (;;) {
        const reached = await this.#read(version, body);
        if (reached === version) {
          throw new Error(`a watch of ${this.#plane.name} has ended without an event`);
        }
        [version, body] = [reached, await this.#open(reached)];
      }
    } catch (error) {
      this.#failure = this.#stop.signal.aborted ? undefined : String(error);
    }
  }

  /** @returns the version that the last event had */
  async #read(from: string, body: AsyncIterable<Buffer>): Promise<string> {
    let version = from;
    let rest = Buffer.alloc(0);
    for await (const chunk of body) {
      const time = performance.now();
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10)) {
        const event = trustedJson<WatchEvent>(bytes.toString('utf8', 0, end));
        if (event.type === 'ERROR') {
          throw new Error(`a watch of ${this.#plane.name} failed: ${JSON.stringify(event.object)}`);
        }
        this.#onEvent(event, time);
        version = event.object.metadata.resourceVersion;
        bytes = bytes.subarray(end + 1);
      }
      rest = Buffer.from(bytes);
    }
    return version;
  }
}

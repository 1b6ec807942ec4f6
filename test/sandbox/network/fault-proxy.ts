import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.ts';
import { relay } from './relay.ts';

/**
 * - `pass`: as if there were no proxy.
 * - `refuse`: connections are refused, open ones reset: the server is gone.
 * - `silent`: connections are accepted, open ones stay, not a byte passes; what was sent meanwhile passes afterwards.
 * - `delayMs`: every chunk takes that much longer in each direction.
 */
export type FaultMode = 'pass' | 'refuse' | 'silent' | { readonly delayMs: number };

export interface ConnectionCounts {
  /** Since the start. */
  readonly accepted: number;
  /** Now. */
  readonly open: number;
}

const attempts = 5;

/**
 * A TCP proxy before a control plane, which can go wrong on demand; in mode `pass` it is another address of the same
 * cluster (its certificate holds for 127.0.0.1, 127.0.0.2 and localhost).
 */
export class FaultProxy implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  #upstreamPort: number;
  readonly #connections = new Set<Socket>();
  #server: Server;
  #mode: FaultMode = 'pass';
  #silence = Promise.withResolvers<void>();
  #accepted = 0;

  private constructor(host: string, port: number, upstreamPort: number, server: Server) {
    this.host = host;
    this.port = port;
    this.#upstreamPort = upstreamPort;
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** Listens on a free port of `host`, an address of this machine's loopback. */
  static async start(upstream: { readonly port: number }, host = '127.0.0.1'): Promise<FaultProxy> {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      try {
        return new FaultProxy(host, port, upstream.port, await listen(host, port));
      } catch (error) {
        if (attempt === attempts) {
          throw error;
        }
      }
    }
  }

  /** `https://HOST:PORT`, for a kubeconfig's `server`. */
  get url(): string {
    return `https://${this.host}:${this.port}`;
  }

  get connections(): ConnectionCounts {
    return { accepted: this.#accepted, open: this.#connections.size };
  }

  async setMode(mode: FaultMode): Promise<void> {
    const before = this.#mode;
    this.#mode = mode;
    if (before === 'silent' && mode !== 'silent') {
      this.#silence.resolve();
      this.#silence = Promise.withResolvers();
    }
    if (mode === 'refuse' && before !== 'refuse') {
      await this.#stopListening();
    }
    if (mode !== 'refuse' && before === 'refuse') {
      this.#server = await listen(this.host, this.port);
      this.#server.on('connection', (socket) => this.#accept(socket));
    }
  }

  /** New connections go to another server; open ones stay where they are, unless they are cut. */
  lead(upstream: { readonly port: number }): void {
    this.#upstreamPort = upstream.port;
  }

  /** Resets all open connections; new ones go by the mode. Yields how many there were. */
  cut(): number {
    const { size } = this.#connections;
    for (const socket of this.#connections) {
      socket.resetAndDestroy();
    }
    return size;
  }

  async close(): Promise<void> {
    const listening = this.#mode !== 'refuse';
    // A client that waits for the end of a silence must find it over.
    this.#mode = 'refuse';
    this.#silence.resolve();
    if (listening) {
      await this.#stopListening();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stopListening(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    this.#accepted++;
    this.#connections.add(client);
    const upstream = connect({ host: '127.0.0.1', port: this.#upstreamPort, allowHalfOpen: true });
    const gate = {
      delayMs: () => (typeof this.#mode === 'object' ? this.#mode.delayMs : 0),
      open: async () => {
        while (this.#mode === 'silent') {
          await this.#silence.promise;
        }
      },
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
    }
    relay(client, upstream, gate);
    relay(upstream, client, gate);
    // Whatever ends one side ends the other: a reset of the server reaches the client as a reset.
    client.on('error', () => upstream.destroy());
    client.once('close', () => {
      this.#connections.delete(client);
      upstream.destroy();
    });
    upstream.on('error', () => client.resetAndDestroy());
  }
}

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true });
  server.listen({ host, port, exclusive: true });
  await once(server, 'listening');
  return server;
}

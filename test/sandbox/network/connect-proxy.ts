import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** An HTTP proxy that knows CONNECT only: what a kubeconfig's `proxy-url` needs. It goes to 127.0.0.1, whatever host is asked for. */
export class ConnectProxy implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #targets: string[] = [];

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
      this.#tunnel(request.url ?? '', client, head);
    });
  }

  static async start(): Promise<ConnectProxy> {
    const server = createServer((_request, response) => {
      response.writeHead(405).end('only CONNECT');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') {
      throw new Error('the proxy listens on no port');
    }
    return new ConnectProxy(server, address.port);
  }

  /** The `host:port` of every tunnel so far. */
  get targets(): readonly string[] {
    return this.#targets;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #tunnel(target: string, client: Duplex, head: Buffer): void {
    this.#targets.push(target);
    const port = Number(target.slice(target.lastIndexOf(':') + 1));
    const upstream: Socket = connect({ host: '127.0.0.1', port });
    this.#sockets.add(client);
    client.once('close', () => {
      this.#sockets.delete(client);
      upstream.destroy();
    });
    upstream.once('close', () => client.destroy());
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    upstream.once('connect', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client);
      client.pipe(upstream);
    });
  }
}

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A Service in small: new connections go to the ports in turn, and those that stand stay where they are. */
export class Balancer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #ports: readonly number[] = [];
  #next = 0;

  private constructor() {
    this.#server = createServer((client) => {
      const port = this.#ports[this.#next++ % this.#ports.length];
      if (port === undefined) {
        client.destroy();
        return;
      }
      const backend = connect(port, '127.0.0.1');
      client.pipe(backend).pipe(client);
      this.#tie(client, backend);
      this.#tie(backend, client);
    });
  }

  static async listen(port: number): Promise<Balancer> {
    const balancer = new Balancer();
    balancer.#server.listen(port, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  /** The endpoints from now on. */
  use(ports: readonly number[]): void {
    this.#ports = ports;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  #tie(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => other.destroy()).on('close', () => this.#sockets.delete(socket));
  }
}

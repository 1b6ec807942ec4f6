import { once } from 'node:events';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';

/** Clients that do what an API server never does, all from this process. */
export class Attacker {
  readonly #port: number;
  readonly #sockets = new Set<Socket>();

  constructor(port: number) {
    this.#port = port;
  }

  /** A TCP connection without a handshake. */
  plain(): void {
    this.#keep(connectTcp(this.#port, '127.0.0.1'));
  }

  /** A connection that sends a request with this body, announced with this length. Resolves when it was handed over. */
  async send(body: string | Buffer, length = Buffer.byteLength(body)): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: this.#port, rejectUnauthorized: false });
    this.#keep(socket);
    const closed = once(socket, 'close');
    await Promise.race([once(socket, 'secureConnect'), closed]);
    socket.write(
      `POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`,
    );
    const written = new Promise((resolve) => socket.write(body, resolve));
    await Promise.race([written, closed]);
    return socket;
  }

  /** Ends all connections. */
  end(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
  }
}

/** What an API server gets for a body: it waits for 3 s, the timeoutSeconds of the configuration, and not longer. */
export async function askAsApiServer(port: number, body: string): Promise<unknown> {
  const sent = request({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    agent: false,
    method: 'POST',
    path: '/validate?timeout=3s',
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
    signal: AbortSignal.timeout(3_000),
  });
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  sent.on('error', reject);
  sent.on('response', (response) => {
    text(response).then((answer) => resolve(JSON.parse(answer)), reject);
  });
  sent.end(body);
  return await promise;
}

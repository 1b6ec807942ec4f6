import type { Socket } from 'node:net';

/** What distinguishes one connection from all others that are open: the TLS socket and the TCP socket below it share it. */
type ConnectionKey = string;

/**
 * Bounds the open connections, apart for those that have carried a review and those that have not yet. When there is one
 * too many of a group, its oldest is closed, or the one whose last review is the longest ago. So new connections are
 * never refused, and a client that opens as many as there can be does not close those that the API servers use.
 */
export class Connections {
  readonly #maxOfEach: number;
  readonly #fresh = new Map<ConnectionKey, Socket>();
  readonly #proven = new Map<ConnectionKey, Socket>();

  constructor(maxOfEach: number) {
    this.#maxOfEach = maxOfEach;
  }

  /** Open connections, those in their handshake included. */
  get size(): number {
    return this.#fresh.size + this.#proven.size;
  }

  /** A TCP connection was accepted. */
  opened(socket: Socket): void {
    const key = keyOf(socket);
    socket.once('close', () => {
      // The address may belong to another connection by now.
      if (this.#get(key) === socket) {
        this.#take(key);
      }
    });
    this.#put(this.#fresh, key, socket);
  }

  /** A review was answered on it. */
  useful(socket: Socket): void {
    const key = keyOf(socket);
    const known = this.#take(key);
    if (known !== undefined) {
      this.#put(this.#proven, key, known);
    }
  }

  #put(group: Map<ConnectionKey, Socket>, key: ConnectionKey, socket: Socket): void {
    group.set(key, socket);
    const [oldest] = group;
    if (oldest !== undefined && group.size > this.#maxOfEach) {
      group.delete(oldest[0]);
      oldest[1].destroy();
    }
  }

  #get(key: ConnectionKey): Socket | undefined {
    return this.#fresh.get(key) ?? this.#proven.get(key);
  }

  #take(key: ConnectionKey): Socket | undefined {
    const socket = this.#get(key);
    this.#fresh.delete(key);
    this.#proven.delete(key);
    return socket;
  }
}

function keyOf({ remoteAddress, remotePort, localAddress }: Socket): ConnectionKey {
  return `${remoteAddress ?? ''} ${remotePort ?? ''} ${localAddress ?? ''}`;
}

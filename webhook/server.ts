import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../shared/clock.ts';
import { errorFields } from '../shared/error-fields.ts';
import { ListenError } from '../shared/http/listen-error.ts';
import type { Logger } from '../shared/logger.ts';
import type { ListenAddress } from '../shared/settings/listen-address.ts';
import { Connections } from './connections.ts';

/** How long things may take, in milliseconds. */
export interface ServerTimes {
  /** Until a TLS handshake, and then the headers of a request, are there. */
  readonly headersMs: number;
  /** Until a whole request is there. The API server itself gives up after 30 s at the latest. */
  readonly requestMs: number;
  /** Until a request is answered and the client has read the answer. */
  readonly exchangeMs: number;
  /** Between two looks for late requests; at Node's default of 30 s the two above would mean little. */
  readonly checkMs: number;
  /**
   * Until an idle connection is closed. The API server's client closes its own after 90 s: it must be the one that
   * does, or its next POST meets a closed connection.
   */
  readonly keepAliveMs: number;
  /** While draining, in which every answer ends its connection and new ones still come. */
  readonly lameDuckMs: number;
  /** After that, for answers under way. */
  readonly drainMs: number;
}

const usualTimes: ServerTimes = {
  headersMs: 5_000,
  requestMs: 10_000,
  exchangeMs: 12_000,
  checkMs: 1_000,
  keepAliveMs: 120_000,
  lameDuckMs: 2_000,
  drainMs: 8_000,
};
const maxHeaderBytes = 16_384;
/** An API server has one for each review under way. With TLS one takes about 60 kB. */
const usualMaxConnections = 500;

export interface WebhookServerOptions {
  readonly address: ListenAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where they differ from the usual. */
  readonly times?: Partial<ServerTimes> | undefined;
  /** Of connections that have carried a review, and of those that have not. */
  readonly maxConnections?: number | undefined;
  /** Only clients with a certificate of this CA may connect. Absent: everybody may. */
  readonly clients?: AllowedClients | undefined;
}

export interface AllowedClients {
  /** CA certificates in PEM. */
  readonly caPem: string;
  /** The common name or a DNS name of the certificate must be one of these. Empty: any certificate of the CA will do. */
  readonly names: readonly string[];
}

interface CertificatePair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** HTTPS whose certificate can be changed while it serves. Without one, handshakes fail. */
export class WebhookServer {
  readonly #options: WebhookServerOptions;
  readonly #times: ServerTimes;
  readonly #connections: Connections;
  /** Connections whose client has an allowed name. */
  readonly #named = new WeakSet<Socket>();
  #pair: CertificatePair | undefined;
  #clientCa: string | undefined;
  #server: Server | undefined;
  #draining = false;

  constructor(options: WebhookServerOptions) {
    this.#options = options;
    this.#times = { ...usualTimes, ...options.times };
    this.#connections = new Connections(options.maxConnections ?? usualMaxConnections);
    this.#clientCa = options.clients?.caPem;
  }

  /** Open connections, those in their handshake included. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The server is about to end: answers should end their connections. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Resolves to the port in use when it listens. @throws ListenError when the address cannot be used */
  async listen(handler: RequestListener): Promise<number> {
    const { address, clients, logger } = this.#options;
    const server = createServer(
      {
        headersTimeout: this.#times.headersMs,
        requestTimeout: this.#times.requestMs,
        handshakeTimeout: this.#times.headersMs,
        connectionsCheckingInterval: this.#times.checkMs,
        keepAliveTimeout: this.#times.keepAliveMs,
        maxHeaderSize: maxHeaderBytes,
        requestCert: clients !== undefined,
        rejectUnauthorized: clients !== undefined,
      },
      this.#bounded(handler),
    );
    server.on('connection', (socket) => {
      this.#connections.opened(socket);
    });
    server.on('secureConnection', (socket) => {
      if (clients === undefined || clients.names.length === 0 || hasName(socket, clients.names)) {
        this.#named.add(socket);
      }
    });
    await new Promise<void>((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        reject(new ListenError('listen', address, error.code ?? error.name));
      };
      server.once('error', fail);
      server.listen({ host: address.host, port: address.port }, () => {
        server.off('error', fail);
        resolve();
      });
    });
    server.on('error', (error) => {
      logger.error('webhook server failed', errorFields(error));
    });
    server.on('tlsClientError', (error) => {
      logger.debug('TLS handshake failed', errorFields(error));
    });
    this.#server = server;
    const bound = server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : address.port;
  }

  /** A client that does not read its answer is cut off. */
  #bounded(handler: RequestListener): RequestListener {
    const { clock } = this.#options;
    return (request, response) => {
      const { socket } = request;
      const cancel = clock.schedule(this.#times.exchangeMs, () => {
        socket.destroy();
      });
      response.on('close', () => {
        cancel();
        if (response.writableFinished && response.statusCode === 200) {
          this.#connections.useful(socket);
        }
      });
      if (this.#draining) {
        response.setHeader('Connection', 'close');
      }
      if (this.#named.has(socket)) {
        handler(request, response);
      } else {
        // An API server passes the text of this status on to kubectl.
        response.writeHead(403, { 'Content-Type': 'text/plain', Connection: 'close' });
        response.end('the client certificate has none of the names of --client-name\n');
      }
    };
  }

  /** New connections get this certificate, those that stand are kept. Throws, and changes nothing, if the pair does not fit. */
  setSecureContext(pair: CertificatePair): void {
    this.#use(pair, this.#clientCa);
    this.#pair = pair;
  }

  /** New connections need a client certificate of this CA. Only for a server that was made with allowed clients. */
  setClientCa(caPem: string): void {
    if (this.#pair !== undefined) {
      this.#use(this.#pair, caPem);
    }
    this.#clientCa = caPem;
  }

  #use({ certPem, keyPem }: CertificatePair, ca: string | undefined): void {
    if (this.#server === undefined) {
      throw new TypeError('the webhook server does not listen');
    }
    this.#server.setSecureContext({ cert: certPem, key: keyPem, ...(ca === undefined ? {} : { ca }) });
  }

  /**
   * Ends in good order: for a while every answer asks for its connection to be closed, so that clients go elsewhere;
   * then nothing new is accepted, and answers under way are finished, but not for ever.
   */
  async drain(): Promise<void> {
    const { clock } = this.#options;
    const server = this.#server;
    if (server === undefined || this.#draining) {
      return;
    }
    this.#draining = true;
    await clock.sleep(this.#times.lameDuckMs);
    const cancel = clock.schedule(this.#times.drainMs, () => {
      server.closeAllConnections();
    });
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    cancel();
  }
}

function hasName(socket: TLSSocket, allowed: readonly string[]): boolean {
  const { subject, subjectaltname = '' } = socket.getPeerCertificate();
  // Node quotes values with characters that separate entries: what is within quotes is not an entry.
  const unquoted = subjectaltname.replaceAll(/"(?:[^"\\]|\\.)*"/g, '');
  const dnsNames = [...unquoted.matchAll(/(?:^|, )DNS:(?<name>[^,]+)/g)].map(
    ({ groups }) => groups?.['name'],
  );
  return [subject.CN, ...dnsNames].flat().some((name) => name !== undefined && allowed.includes(name));
}

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';
import type { VerifyToken } from './token-reviews.ts';

/**
 * A control plane's second address that takes only tokens that are good at this very moment, and passes all else on as the admin.
 * An API server's own cache would take a token for ten seconds after it was seen.
 */
export class TokenGate implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #tokens = new Set<string>();
  /** Requests that were refused with 401. */
  refused = 0;
  /** Paths of the watches that were opened. */
  readonly watches: string[] = [];
  /** Connections that were accepted. */
  accepted = 0;

  private constructor(server: Server, agent: Agent, port: number) {
    this.#server = server;
    this.#agent = agent;
    this.url = `https://127.0.0.1:${port}`;
  }

  static async start(place: ControlPlane, verify: VerifyToken): Promise<TokenGate> {
    const { certPem, keyPem } = await place.ca.serving({ dns: [], ip: ['127.0.0.1'] });
    const agent = new Agent({ keepAlive: true, ca: place.caPem });
    const server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
      gate.#pass(place, verify, request, response);
    });
    // Longer than any client keeps an idle connection: it is the client that closes it.
    server.keepAliveTimeout = 600_000;
    server.on('secureConnection', () => {
      gate.accepted += 1;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') {
      throw new Error('the gate listens on no port');
    }
    const gate = new TokenGate(server, agent, address.port);
    return gate;
  }

  /** How many different tokens were good so far. */
  get tokens(): number {
    return this.#tokens.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  #pass(place: ControlPlane, verify: VerifyToken, request: IncomingMessage, response: ServerResponse): void {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    try {
      verify(token);
    } catch {
      this.refused += 1;
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"kind":"Status","code":401}');
      return;
    }
    this.#tokens.add(token);
    if (request.url?.includes('watch=1') === true) {
      this.watches.push(request.url);
    }
    const headers = { ...request.headers, authorization: `Bearer ${place.adminToken}` };
    const { method, url: path } = request;
    const onward = httpsRequest(
      { host: '127.0.0.1', port: place.port, method, path, headers, agent: this.#agent },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        // A watch without events has no first line to send them with.
        response.flushHeaders();
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }
}

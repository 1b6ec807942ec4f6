import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import type { Server, Socket } from 'node:net';

export type Respond = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on 127.0.0.1 that answers as a test wants. */
export interface LocalServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  readonly requests: readonly IncomingMessage[];
  respond: Respond;
  /** Cuts every connection without a word. */
  cut(): void;
}

/** Plain HTTP without `tls`. */
export async function serve(respond: Respond, tls?: ServerOptions): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  const requests: IncomingMessage[] = [];
  let accepted = 0;
  const onRequest: Respond = (request, response) => {
    requests.push(request);
    local.respond(request, response);
  };
  const server = tls === undefined ? createHttpServer(onRequest) : createHttpsServer(tls, onRequest);
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  const local: LocalServer = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    get accepted() {
      return accepted;
    },
    requests,
    respond,
    cut() {
      for (const socket of sockets) {
        socket.resetAndDestroy();
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) {
        socket.destroy();
      }
      await closed;
    },
  };
  return local;
}

/** Answers JSON. */
export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** A Status as API servers send it. Its message is a canary: it must never be seen again. */
export function status(code: number, reason: string, details: Record<string, unknown> = {}): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'CANARY', reason, details, code };
}

/** The value of every header line of this name, in order. */
export function headerLines(request: IncomingMessage, name: string): string[] {
  return request.rawHeaders.filter(
    (_value, index, all) => index % 2 === 1 && all[index - 1]?.toLowerCase() === name,
  );
}

/** Starts on a free port of 127.0.0.1, and gives the port. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('the server has no port');
  }
  return address.port;
}

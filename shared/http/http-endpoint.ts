import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { errorFields } from '../error-fields.ts';
import type { Logger } from '../logger.ts';
import type { ListenAddress } from '../settings/listen-address.ts';
import { ListenError } from './listen-error.ts';

export interface HttpEndpointOptions {
  readonly address: ListenAddress;
  /** Key of the setting that the address comes from, for the error when it cannot be used. */
  readonly setting: string;
  /** By path, such as `/livez`. */
  readonly routes: Readonly<Record<string, Route>>;
  readonly logger: Logger;
}

export interface HttpEndpoint {
  /** The port in use; for port 0, the one that the operating system chose. */
  readonly port: number;
  /** Stops listening and cuts all connections, also those with an answer under way: these answers are worth no delay. */
  stop(): Promise<void>;
}

/** Health probes and scrapes have small headers; who takes longer than this to send them is not one of their kind. */
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
const maxHeaderBytes = 16_384;
/** Longer than the usual scrape intervals, so that a scraper does not meet the connection in the moment of its closing. */
const keepAliveTimeoutMs = 90_000;

/**
 * Serves a few paths over plain HTTP, GET and HEAD only. Resolves when it listens.
 *
 * @throws ListenError when the address cannot be used
 */
export async function startHttpEndpoint(options: HttpEndpointOptions): Promise<HttpEndpoint> {
  const routes = new Map(Object.entries(options.routes));
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
    },
    (request, response) => {
      // Never rejects: what fails becomes a reply.
      void answer(request, response, routes, options.logger);
    },
  );
  await listen(server, options);
  server.on('error', (error) => {
    options.logger.error('HTTP endpoint failed', { setting: options.setting, ...errorFields(error) });
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : options.address.port,
    stop: () => stop(server),
  };
}

function listen(server: Server, { address, setting }: HttpEndpointOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      reject(new ListenError(setting, address, error.code ?? error.name));
    };
    server.once('error', fail);
    server.listen({ host: address.host, port: address.port }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The callback's error only says that the server was stopped before.
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ReadonlyMap<string, Route>,
  logger: Logger,
): Promise<void> {
  send(request, response, await replyTo(request, routes, logger));
}

async function replyTo(
  request: IncomingMessage,
  routes: ReadonlyMap<string, Route>,
  logger: Logger,
): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plainText(405, 'only GET and HEAD are served here\n');
  }
  const [path = '', query] = (request.url ?? '').split('?', 2);
  const route = routes.get(path);
  if (route === undefined) {
    return plainText(404, `not found; served here: ${[...routes.keys()].join(', ')}\n`);
  }
  try {
    return await route(new URLSearchParams(query));
  } catch (error) {
    logger.error('HTTP request failed', { path, ...errorFields(error) });
    return plainText(500, 'internal error\n');
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, contentType, body }: Reply,
): void {
  const headers: Record<string, string | number> = {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  if (status === 405) {
    headers['allow'] = 'GET, HEAD';
    // The body of a refused request is not read, so the connection cannot be used again.
    headers['connection'] = 'close';
  }
  response.writeHead(status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** An answer to a GET. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers a GET of one path. */
export type Route = (query: URLSearchParams) => Reply | Promise<Reply>;

/** A reply of plain text. */
export function plainText(status: number, body: string): Reply {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

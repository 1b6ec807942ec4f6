import { type Dispatcher, Pool, ProxyAgent, Socks5ProxyAgent } from 'undici';
import type { TlsMaterial } from '../credentials/credentials.ts';

export interface DispatcherSettings {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly proxyUrl: string | undefined;
  readonly tls: TlsMaterial | undefined;
  readonly connectTimeoutMs: number;
  /** No limit when null. */
  readonly maxConnections: number | null;
  /** False: every request opens a connection of its own, which resumes the TLS session of an earlier one. */
  readonly keepAlive: boolean;
  /** Bytes of one answer; no limit when -1. */
  readonly maxAnswerBytes: number;
}

/** Load balancers commonly cut connections that are idle for 60 s, API servers after 90 s: we let go first. */
const keepAliveMs = 55_000;

/**
 * HTTP/1.1 connections to one server that are kept open and used again. One request at a time on each: a pipelined request waits for
 * the answer before it, and is lost with it. undici's own deadlines are off; they have a grain of half a second, and
 * every request and watch here carries its own.
 */
export function openDispatcher(settings: DispatcherSettings): Dispatcher {
  const tls = {
    // TCP probes find peers that are gone while a watch is silent, before load balancers forget the connection.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    allowH2: false,
    ...(settings.tls === undefined
      ? {}
      : {
          secureContext: settings.tls.secureContext,
          rejectUnauthorized: settings.tls.rejectUnauthorized,
          ...(settings.tls.servername === undefined ? {} : { servername: settings.tls.servername }),
        }),
  };
  const options = {
    connections: settings.maxConnections,
    // 0 means that a connection is closed after its request.
    pipelining: settings.keepAlive ? 1 : 0,
    allowH2: false,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    headersTimeout: 0,
    bodyTimeout: 0,
    connectTimeout: settings.connectTimeoutMs,
    maxResponseSize: settings.maxAnswerBytes,
  };
  if (settings.proxyUrl === undefined) {
    return new Pool(settings.origin, {
      ...options,
      connect: { ...tls, timeout: settings.connectTimeoutMs },
    });
  }
  if (settings.proxyUrl.startsWith('socks5')) {
    // undici gives the proxy the host's name to resolve, which is what socks5h asks for.
    const agent = new Socks5ProxyAgent(settings.proxyUrl.replace(/^socks5h?:/, 'socks5:'), {
      ...options,
      requestTls: { ...tls, timeout: settings.connectTimeoutMs },
    });
    // Its pools take their limit from the first request instead of from the options above.
    return agent.compose((dispatch) => (request, handler) => {
      const limited = { ...request, connections: settings.maxConnections };
      return dispatch(limited, handler);
    });
  }
  return new ProxyAgent({
    ...options,
    uri: settings.proxyUrl,
    requestTls: { ...tls, timeout: settings.connectTimeoutMs },
  });
}

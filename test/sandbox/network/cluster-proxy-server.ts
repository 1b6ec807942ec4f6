import type { IncomingMessage, ServerResponse } from 'node:http';
import { Pool } from 'undici';
import { AnswerHandler, type PassedRequest } from './cluster-proxy-answer.ts';
import type { ClusterMode, ClusterProxyConfig, RequestCount } from './cluster-proxy-protocol.ts';
import { type Gate, OrderedSteps } from './relay.ts';
import { type RequestKind, requestKind } from './request-kind.ts';
import { NameReplacer, type NamespaceNames, type ProxiedCluster, routeRequest } from './virtual-cluster.ts';

type Counter = { -readonly [key in keyof RequestCount]: RequestCount[key] };

/** A cluster with its state. */
interface Cluster {
  readonly spec: ProxiedCluster;
  readonly counters: Map<string, Counter>;
  /** Of running answers. */
  readonly responses: Set<ServerResponse>;
  mode: ClusterMode;
  changed: PromiseWithResolvers<void>;
  roundTripMs: number;
}

/** Connections of watches are kept apart: they are busy for minutes, and looking for a free one among them takes time. */
interface Upstream {
  readonly requests: Pool;
  readonly watches: Pool;
}

/** Passes requests on to control planes, under the names that they have there, and counts them. */
export class ProxyServer {
  readonly #clusters: ReadonlyMap<string, Cluster>;
  readonly #upstreams: readonly Upstream[];

  constructor(config: ClusterProxyConfig) {
    this.#clusters = new Map(config.clusters.map((spec) => [spec.name, clusterOf(spec)]));
    this.#upstreams = config.upstreams.map(({ url, caPem }) => {
      const pool = (): Pool =>
        new Pool(url, {
          connect: { ca: caPem },
          allowH2: false,
          headersTimeout: 0,
          bodyTimeout: 0,
          keepAliveTimeout: 60_000,
        });
      return { requests: pool(), watches: pool() };
    });
  }

  set(names: readonly string[], change: { mode?: ClusterMode; roundTripMs?: number }): void {
    for (const name of names) {
      const cluster = this.#clusters.get(name);
      if (cluster === undefined) {
        continue;
      }
      cluster.mode = change.mode ?? cluster.mode;
      cluster.roundTripMs = change.roundTripMs ?? cluster.roundTripMs;
      cluster.changed.resolve();
      cluster.changed = Promise.withResolvers();
      if (cluster.mode === 'refuse') {
        for (const response of cluster.responses) {
          response.destroy();
        }
      }
    }
  }

  counts(): readonly RequestCount[] {
    return [...this.#clusters.values()].flatMap(({ counters }) => [...counters.values()]);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const [, name = '', path = ''] = /^\/([^/?]+)(\/.*)$/.exec(request.url ?? '') ?? [];
    const cluster = this.#clusters.get(name);
    if (cluster === undefined) {
      response.writeHead(404).end();
      return;
    }
    const method = request.method ?? 'GET';
    const kind = requestKind(method, path, request.headers.accept ?? '');
    const counter = counterOf(cluster, kind);
    counter.requests++;
    if (cluster.mode === 'refuse') {
      request.socket.destroy();
      return;
    }
    cluster.responses.add(response);
    response.once('close', () => cluster.responses.delete(response));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const body = Buffer.concat(chunks);
      counter.bytes += body.length;
      // Each request has an order of its own: requests of one cluster do not wait for each other.
      new OrderedSteps(gateOf(cluster, false)).add(() => {
        if (!response.destroyed) {
          this.#pass(
            { cluster, method, path, body, counter, watch: kind.verb === 'watch' },
            request,
            response,
          );
        }
      });
    });
  }

  #pass(passed: Passed, request: IncomingMessage, response: ServerResponse): void {
    const { cluster, method, path, counter } = passed;
    const steps = new OrderedSteps(gateOf(cluster, passed.watch));
    const route = routeRequest(cluster.spec, method, path, request.headers.accept ?? '');
    if (route.kind === 'answer') {
      counter.failures += route.status >= 400 ? 1 : 0;
      counter.bytes += route.body.length;
      steps.add(() =>
        response.writeHead(route.status, { 'content-type': 'application/json' }).end(route.body),
      );
      return;
    }
    const upstream = this.#upstreams[cluster.spec.upstream];
    const pool = passed.watch ? upstream?.watches : upstream?.requests;
    const { host: _, connection: _connection, 'accept-encoding': _encoding, ...headers } = request.headers;
    const names = cluster.spec.namespace;
    pool?.dispatch(
      {
        method,
        path: route.path,
        headers,
        body: passed.body.length === 0 ? null : realBody(passed.body, names),
      },
      new AnswerHandler(response, steps, passed, names),
    );
  }
}

interface Passed extends PassedRequest {
  readonly cluster: Cluster;
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
  readonly counter: Counter;
}

function clusterOf(spec: ProxiedCluster): Cluster {
  return {
    spec,
    counters: new Map(),
    responses: new Set(),
    mode: 'pass',
    changed: Promise.withResolvers(),
    roundTripMs: 0,
  };
}

function gateOf(cluster: Cluster, watch: boolean): Gate {
  const blocked = (): boolean => cluster.mode === 'silent' || (watch && cluster.mode === 'hold-watches');
  const opened = async (): Promise<void> => {
    while (blocked()) {
      await cluster.changed.promise;
    }
  };
  return { delayMs: () => cluster.roundTripMs / 2, open: () => (blocked() ? opened() : undefined) };
}

function counterOf(cluster: Cluster, { verb, resource, namespace, metadataOnly }: RequestKind): Counter {
  const key = `${verb} ${resource} ${namespace} ${metadataOnly}`;
  let counter = cluster.counters.get(key);
  if (counter === undefined) {
    const { name } = cluster.spec;
    counter = { cluster: name, verb, resource, namespace, metadataOnly, requests: 0, failures: 0, bytes: 0 };
    cluster.counters.set(key, counter);
  }
  return counter;
}

function realBody(body: Buffer, names: NamespaceNames | undefined): Buffer {
  if (names === undefined) {
    return body;
  }
  const replacer = new NameReplacer(names.shown, names.real);
  return Buffer.concat([replacer.push(body), replacer.end()]);
}

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { CertificateAuthority } from '../control-plane/certificate-authority.ts';
import { faultyFrames } from './watch-faults.ts';

/**
 * - `slow`: every request waits that long.
 * - `refuse`: open connections are reset, new ones end at once.
 * - `silent`: nothing is answered until the fault ends; then everything passes.
 * - `answer`: every n-th request is answered with this status and does not reach the server; of lists and reads of ConfigMaps and
 *   Secrets alone, so that Leases, watches and the cluster's identity stay as they are.
 * - `lose-answers`: every n-th write reaches the server, and its answer is lost with the connection.
 * - `delay-events`: events of watches are held back; of one resource only, so that kinds arrive in another order.
 * - `repeat-events`: events of watches arrive twice.
 * - `drop-events`: events of watches are lost; when the fault ends, watches that lost one end with 410.
 */
export type HttpFault =
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'answer';
      readonly status: 429 | 500 | 503;
      readonly every: number;
      readonly only?: 'reads';
    }
  | { readonly kind: 'lose-answers'; readonly every: number }
  | { readonly kind: 'delay-events'; readonly ms: number; readonly resource?: 'configmaps' | 'secrets' }
  | { readonly kind: 'repeat-events' }
  | { readonly kind: 'drop-events' };

/** A write of a ConfigMap or Secret, on its way to the server or just done. */
export interface PassingWrite {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly when: 'before' | 'after';
}

interface Upstream {
  readonly port: number;
  readonly caPem: string;
}

const failure = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' };
const reasons = { 429: 'TooManyRequests', 500: 'InternalError', 503: 'ServiceUnavailable' } as const;
const certificateHosts = { dns: ['localhost'], ip: ['127.0.0.1'] };

/** An HTTPS proxy before a control plane that can misbehave by request. Users are recognised by bearer tokens, which it passes on. */
export class HttpFaultProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pools = new Map<number, Pool>();
  readonly #faults = new Map<HttpFault, { count: number; lifted: PromiseWithResolvers<void> }>();
  readonly #watchers = new Set<(write: PassingWrite) => boolean>();
  #upstream: Upstream;

  private constructor(server: Server, port: number, upstream: Upstream) {
    this.#server = server;
    this.port = port;
    this.#upstream = upstream;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      if (this.#has('refuse')) {
        socket.resetAndDestroy();
      }
    });
    server.on('request', (request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  /** Listens on a free port of 127.0.0.1 with a certificate of the authority. */
  static async start(upstream: Upstream, ca: CertificateAuthority): Promise<HttpFaultProxy> {
    const { certPem, keyPem } = await ca.serving(certificateHosts);
    const server = createServer({ cert: certPem, key: keyPem, keepAliveTimeout: 120_000, requestTimeout: 0 });
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server on a TCP port has an AddressInfo
    const { port } = server.address() as AddressInfo;
    return new HttpFaultProxy(server, port, upstream);
  }

  /** `https://127.0.0.1:PORT`, for a kubeconfig's `server`. */
  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** The fault is in effect until the returned function is called. */
  inject(fault: HttpFault): () => void {
    const state = { count: 0, lifted: Promise.withResolvers<void>() };
    this.#faults.set(fault, state);
    if (fault.kind === 'refuse') {
      this.cut();
    }
    return () => {
      this.#faults.delete(fault);
      state.lifted.resolve();
    };
  }

  /**
   * Calls back with every write of a ConfigMap or Secret before it reaches the server and after it was answered. Where the
   * callback yields false, the connection is cut instead: the server gets no request, or the client no answer.
   */
  onWrite(watcher: (write: PassingWrite) => boolean): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** New requests go to another control plane; open connections are cut. */
  lead(upstream: Upstream): void {
    this.#upstream = upstream;
    this.cut();
  }

  /** Resets all open connections. */
  cut(): void {
    for (const socket of this.#sockets) {
      socket.resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    for (const { lifted } of this.#faults.values()) {
      lifted.resolve();
    }
    this.#faults.clear();
    this.#server.close();
    this.cut();
    await Promise.all([...this.#pools.values()].map(async (pool) => await pool.destroy()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const body = await bytesOf(request);
    const { method = 'GET', url: path = '/' } = request;
    await this.#delay();
    await this.#open();
    const refusal = this.#refusal(isReadOf(method, path));
    if (refusal !== undefined) {
      response.writeHead(refusal, { 'content-type': 'application/json', 'retry-after': '1' });
      response.end(JSON.stringify({ ...failure, reason: reasons[refusal], code: refusal }));
      return;
    }
    const isWrite = isWriteOf(method, path);
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    if (isWrite && !this.#mayPass({ method, path, token, when: 'before' })) {
      request.socket.resetAndDestroy();
      return;
    }
    const { host: _, connection: _connection, 'accept-encoding': _encoding, ...headers } = request.headers;
    const answer = await this.#pool().request({
      method,
      path,
      headers,
      body: body.length === 0 ? null : body,
      ...(isWrite ? {} : { signal: gone.signal }),
    });
    const { connection: _kept, 'transfer-encoding': _chunked, ...answered } = answer.headers;
    if (isWatch(path)) {
      const { 'content-length': _length, ...unbounded } = answered;
      response.writeHead(answer.statusCode, unbounded);
      response.flushHeaders();
      await this.#watch(resourceOf(path), linesOf(answer.body), response, gone.signal);
      return;
    }
    const text = Buffer.from(await answer.body.arrayBuffer());
    if (isWrite && (!this.#mayPass({ method, path, token, when: 'after' }) || this.#isNth('lose-answers'))) {
      request.socket.resetAndDestroy();
      return;
    }
    await this.#open();
    response.writeHead(answer.statusCode, answered).end(text);
  }

  async #watch(
    resource: string,
    frames: AsyncIterable<string>,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const faults = {
      delayMs: () =>
        Math.max(
          0,
          ...this.#of('delay-events').map((fault) =>
            fault.resource === undefined || fault.resource === resource ? fault.ms : 0,
          ),
        ),
      repeats: () => this.#has('repeat-events'),
      drops: () => this.#has('drop-events'),
      open: async () => await this.#open(),
    };
    for await (const frame of faultyFrames(frames, faults, signal)) {
      response.write(frame);
    }
    response.end();
  }

  #pool(): Pool {
    const { port, caPem } = this.#upstream;
    const pool =
      this.#pools.get(port) ??
      new Pool(`https://127.0.0.1:${port}`, {
        connect: { ca: caPem },
        allowH2: false,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    this.#pools.set(port, pool);
    return pool;
  }

  #mayPass(write: PassingWrite): boolean {
    return [...this.#watchers].map((watcher) => watcher(write)).every(Boolean);
  }

  #of<K extends HttpFault['kind']>(kind: K): readonly Extract<HttpFault, { kind: K }>[] {
    return [...this.#faults.keys()].filter(
      (fault): fault is Extract<HttpFault, { kind: K }> => fault.kind === kind,
    );
  }

  #has(kind: HttpFault['kind']): boolean {
    return this.#of(kind).length > 0;
  }

  async #delay(): Promise<void> {
    const ms = Math.max(0, ...this.#of('slow').map((fault) => fault.ms));
    if (ms > 0) {
      await sleep(ms);
    }
  }

  async #open(): Promise<void> {
    for (const [fault, { lifted }] of this.#faults) {
      if (fault.kind === 'silent') {
        await lifted.promise;
      }
    }
  }

  #refusal(isRead: boolean): 429 | 500 | 503 | undefined {
    return this.#of('answer').find(
      (fault) => (isRead || fault.only !== 'reads') && this.#counts(fault, fault.every),
    )?.status;
  }

  #isNth(kind: 'lose-answers'): boolean {
    return this.#of(kind).some((fault) => this.#counts(fault, fault.every));
  }

  #counts(fault: HttpFault, every: number): boolean {
    const state = this.#faults.get(fault);
    if (state === undefined) {
      return false;
    }
    state.count++;
    return state.count % every === 0;
  }
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a request without an encoding yields buffers
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isWriteOf(method: string, path: string): boolean {
  return method !== 'GET' && /\/(configmaps|secrets)\b/.test(path) && !path.includes('dryRun=');
}

/** Lists and reads; watches are neither. */
function isReadOf(method: string, path: string): boolean {
  return method === 'GET' && /\/(configmaps|secrets)\b/.test(path) && !isWatch(path);
}

function isWatch(path: string): boolean {
  return /[?&]watch=(true|1)/.test(path);
}

function resourceOf(path: string): string {
  return /\/(configmaps|secrets)\b/.exec(path)?.[1] ?? '';
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      yield `${line}\n`;
    }
  }
}

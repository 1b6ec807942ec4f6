import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect as plainConnect } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../../shared/clock.ts';
import { ListenError } from '../../../shared/http/listen-error.ts';
import { type LogFields, type Logger, silentLogger } from '../../../shared/logger.ts';
import { BodyBudget } from '../../../webhook/body-budget.ts';
import { maxBodyBytes, usualBudgetBytes } from '../../../webhook/body-reader.ts';
import { WebhookServer } from '../../../webhook/server.ts';
import { eventually } from '../../harness/eventually.ts';
import { CertificateAuthority } from '../../sandbox/control-plane/certificate-authority.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { annotated, bodyOf, request } from './fixtures.ts';
import { Serving } from './serving.ts';

// Bodies of 16 MiB through TLS take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

const good = bodyOf(request());

function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return agent;
}

describe('a review', () => {
  it('is answered by a review', async () => {
    const serving = await Serving.start();
    const allowed = await serving.ask({ body: good, path: '/validate?timeout=3s' });
    expect(allowed.status).toBe(200);
    expect(allowed.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(JSON.parse(allowed.body)).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u-1', allowed: true },
    });
    const refused = await serving.ask({
      body: bodyOf(request({ uid: 'u-2', object: annotated('nowhere') })),
    });
    expect(refused.status).toBe(200);
    expect(JSON.parse(refused.body)).toMatchObject({
      response: { uid: 'u-2', allowed: false, status: { code: 422 } },
    });
  });

  it('is answered by a review even when reviewing fails, and the error is logged without its message', async () => {
    const lines: [string, LogFields | undefined][] = [];
    const logger: Logger = {
      ...silentLogger,
      error: (message, fields) => void lines.push([message, fields]),
    };
    const serving = await Serving.start({
      logger,
      answer: () => {
        throw new RangeError('canary');
      },
    });
    const answer = await serving.ask({ body: good });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({
      kind: 'AdmissionReview',
      response: { uid: 'u-1', allowed: false, status: { code: 500 } },
    });
    expect(lines).toMatchObject([['review failed', { uid: 'u-1', error: 'RangeError' }]]);
    expect(JSON.stringify([lines, answer.body])).not.toContain('canary');
  });

  it('of the largest size there is, is answered', async () => {
    const serving = await Serving.start();
    const padding = 'x'.repeat(maxBodyBytes - good.length - 1_000);
    const body = JSON.stringify({ ...JSON.parse(good), padding });
    expect((await serving.ask({ body })).status).toBe(200);
  });
});

describe('what is no review gets the right status', () => {
  const review = (more: object): string => JSON.stringify({ ...JSON.parse(good), ...more });

  it.each<[string, number, string, Parameters<Serving['ask']>[0]]>([
    ['another method', 405, 'only POST is served here', { method: 'GET' }],
    [
      'another path',
      404,
      'not found; AdmissionReviews are answered at /validate',
      { path: '/mutate', body: good },
    ],
    [
      'another type',
      415,
      'the Content-Type must be application/json',
      { body: good, headers: { 'Content-Type': 'text/plain' } },
    ],
    [
      'another charset',
      415,
      'the Content-Type must be application/json',
      { body: good, headers: { 'Content-Type': 'application/json; charset=latin1' } },
    ],
    [
      'compression',
      415,
      'the body must not be compressed',
      { body: gzipSync(good), headers: { 'Content-Encoding': 'gzip' } },
    ],
    ['an empty body', 400, 'the body is empty; it must be an AdmissionReview', { body: '' }],
    ['a body in chunks', 411, 'the request must have a Content-Length', { body: [Buffer.from(good)] }],
    ['half a body', 400, 'the body is not JSON', { body: good.slice(0, -5) }],
    ['another object', 400, 'the body must be an AdmissionReview', { body: '{"kind":"Pod"}' }],
    ['no object', 400, 'the body must be an AdmissionReview', { body: '"canary"' }],
    [
      'another version',
      400,
      'the apiVersion of an AdmissionReview must be admission.k8s.io/v1: set admissionReviewVersions of the webhook configuration to [v1]',
      { body: review({ apiVersion: 'admission.k8s.io/v1beta1' }) },
    ],
    [
      'no request',
      400,
      'the AdmissionReview is malformed: request must be object',
      { body: review({ request: undefined }) },
    ],
    [
      'a request without uid',
      400,
      "the AdmissionReview is malformed: request must have required property 'uid'",
      { body: review({ request: { ...request(), uid: undefined } }) },
    ],
    [
      'annotations of another kind',
      400,
      'the AdmissionReview is malformed: request/object/metadata/annotations/a must be string',
      { body: review({ request: { ...request(), object: { metadata: { annotations: { a: 1 } } } } }) },
    ],
    [
      'too large a body',
      413,
      'the body is larger than 16777216 bytes',
      { body: Buffer.alloc(maxBodyBytes + 1, 32) },
    ],
    [
      'a name that is longer than names are',
      400,
      'the AdmissionReview is malformed: request/name must NOT have more than 253 characters',
      { body: review({ request: { ...request(), name: 'x'.repeat(1e6) } }) },
    ],
    [
      'an annotation that is longer than annotations are',
      400,
      'the AdmissionReview is malformed: request/object/metadata/annotations/kubed.appscode.com~1sync-contexts must NOT have more than 262144 characters',
      { body: review({ request: { ...request(), object: annotated(','.repeat(1e6)) } }) },
    ],
    [
      'many tiny elements',
      400,
      'the body has more than 1048576 bytes that a review looks at',
      { body: `[${'{},'.repeat(5e6)}{}]` },
    ],
    [
      'deep nesting',
      400,
      'the body has more than 1048576 bytes that a review looks at',
      { body: '['.repeat(16e6) },
    ],
    [
      'half a large body',
      400,
      'the body is not JSON',
      { body: good.replace('}', `},"a":"${'x'.repeat(1e6)}"`).slice(0, -2) },
    ],
  ])('%s: %i', async (_what, status, message, options) => {
    const serving = await Serving.start();
    const answer = await serving.ask(options);
    expect(answer).toMatchObject({ status, body: `${message}\n` });
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    // And the next one is served.
    expect((await serving.ask({ body: good })).status).toBe(200);
  });

  it('names the method that is allowed', async () => {
    const serving = await Serving.start();
    expect((await serving.ask({ method: 'PUT', body: good })).headers['allow']).toBe('POST');
  });

  it('headers that are too large: 431', async () => {
    const serving = await Serving.start();
    expect((await serving.ask({ body: good, headers: { 'X-Large': 'x'.repeat(20_000) } })).status).toBe(431);
  });
});

describe('a slow client is cut off', () => {
  async function dribble(serving: Serving, start: string): Promise<string> {
    const socket = connect({ host: '127.0.0.1', port: serving.port, ca: serving.ca.certPem });
    await once(socket, 'secureConnect');
    socket.write(start);
    return await text(socket);
  }

  it('in the headers', async () => {
    const serving = await Serving.start({}, { times: { headersMs: 1_000, checkMs: 50 } });
    expect(await dribble(serving, 'POST /validate HTTP/1.1\r\nHost: x\r\nX-Slow: ')).toMatch(
      /^HTTP\/1\.1 408 /,
    );
  });

  it('in the body', async () => {
    const serving = await Serving.start({}, { times: { headersMs: 1_000, requestMs: 1_000, checkMs: 50 } });
    const head =
      'POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{';
    expect(await dribble(serving, head)).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('a body that is announced', () => {
  const head = (length: number): string =>
    `POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

  async function open(serving: Serving, start: string): Promise<TLSSocket> {
    const socket = connect({ host: '127.0.0.1', port: serving.port, ca: serving.ca.certPem });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.write(start);
    return socket;
  }

  it('as too large is refused before it arrives', async () => {
    const serving = await Serving.start();
    const socket = await open(serving, `${head(maxBodyBytes + 1)}{`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('takes only the room of what has arrived', async () => {
    const budget = new BodyBudget(usualBudgetBytes);
    const serving = await Serving.start({ budget });
    for (let drip = 0; drip < 20; drip++) {
      await open(serving, `${head(maxBodyBytes)}{"a":`);
    }
    const large = JSON.stringify({ ...JSON.parse(good), padding: 'x'.repeat(6e6) });
    const answers = await Promise.all(Array.from({ length: 16 }, () => serving.ask({ body: large })));
    expect(answers.map(({ status }) => status)).toEqual(Array(16).fill(200));
    expect(budget.bytesHeld).toBe(20 * 5);
  });

  it('is cut when others need its room, with a text that kubectl prints', async () => {
    const budget = new BodyBudget(200_000);
    const serving = await Serving.start({ budget });
    const first = await open(serving, head(2e5) + ' '.repeat(150_000));
    const answer = text(first);
    await eventually('the first one has arrived', () => expect(budget.bytesHeld).toBe(150_000));
    const body = JSON.stringify({ ...JSON.parse(good), padding: 'x'.repeat(1e5) });
    expect((await serving.ask({ body })).status).toBe(200);
    expect(await answer).toMatch(
      /^HTTP\/1\.1 507 [^]*\r\n\r\nthe webhook of context-syncer is overloaded, and the object did not arrive in time; try again\n$/,
    );
    expect(await answer).not.toMatch(/retry-after/i);
    expect(budget.bytesHeld).toBe(0);
  });
});

describe('connections', () => {
  it('are kept for longer than the API server keeps them', async () => {
    const serving = await Serving.start();
    const agent = keepAlive();
    const first = await serving.ask({ body: good, agent });
    expect(first.headers['connection']).toBe('keep-alive');
    const seconds = Number(/timeout=(\d+)/.exec(String(first.headers['keep-alive']))?.[1]);
    expect(seconds).toBeGreaterThanOrEqual(120);
    expect((await serving.ask({ body: good, agent })).reused).toBe(true);
  });

  it('get a new certificate while requests go on, without an error', async () => {
    const serving = await Serving.start();
    const pairs = await Promise.all(Array.from({ length: 6 }, () => serving.certificate()));
    const stop = new AbortController();
    const answers: { status: number; serial: string }[] = [];
    const asked = Array.from({ length: 4 }, async () => {
      while (!stop.signal.aborted) {
        answers.push(await serving.ask({ body: good }));
      }
    });
    for (const pair of pairs) {
      serving.server.setSecureContext(pair);
      const { serialNumber } = new X509Certificate(pair.certPem);
      expect((await serving.ask({ body: good })).serial).toBe(serialNumber);
    }
    stop.abort();
    await Promise.all(asked);
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });

  it('keep the old certificate when a pair does not fit', async () => {
    const serving = await Serving.start();
    const [one, other] = [await serving.certificate(), await serving.certificate()];
    const { serial } = await serving.ask({ body: good });
    expect(() => serving.server.setSecureContext({ certPem: one.certPem, keyPem: other.keyPem })).toThrow(
      /key values mismatch/,
    );
    expect((await serving.ask({ body: good })).serial).toBe(serial);
  });

  it('beyond the greatest number close the oldest, but none that carries reviews', async () => {
    const serving = await Serving.start({}, { maxConnections: 2 });
    const agent = keepAlive();
    await serving.ask({ body: good, agent });
    const silent = Array.from({ length: 6 }, () => plainConnect(serving.port, '127.0.0.1').resume());
    onTestFinished(() => silent.forEach((socket) => void socket.destroy()));
    await Promise.all(silent.slice(0, 4).map((socket) => once(socket, 'close')));
    expect(serving.server.connections).toBe(3);
    expect((await serving.ask({ body: good, agent })).reused).toBe(true);
  });

  it('that carry reviews are bounded, too', async () => {
    const serving = await Serving.start({}, { maxConnections: 2 });
    const agents = Array.from({ length: 4 }, keepAlive);
    for (const agent of agents) {
      expect((await serving.ask({ body: good, agent })).status).toBe(200);
    }
    await eventually('two are left', () => expect(serving.server.connections).toBe(2));
  });

  it('whose client does not read its answers are cut', async () => {
    const serving = await Serving.start({}, { times: { exchangeMs: 200 } });
    const socket = connect({ host: '127.0.0.1', port: serving.port, ca: serving.ca.certPem });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined).pause();
    const bad = bodyOf(
      request({ object: annotated(Array.from({ length: 20 }, (_, i) => `${'n'.repeat(250)}${i}`).join()) }),
    );
    const one = `POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${bad.length}\r\n\r\n${bad}`;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    for (let index = 0; index < 3_000; index++) {
      socket.write(one);
    }
    await closed;
    expect((await serving.ask({ body: good })).status).toBe(200);
  });

  it('fail in the handshake while there is no certificate', async () => {
    const server = new WebhookServer({
      address: { host: '127.0.0.1', port: 0 },
      clock: systemClock(),
      logger: silentLogger,
      times: { lameDuckMs: 0 },
    });
    const port = await server.listen(() => undefined);
    onTestFinished(() => server.drain());
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await expect(once(socket, 'secureConnect')).rejects.toThrow(/handshake failure|ECONNRESET|disconnected/);
  });

  it('are refused an address that is taken', async () => {
    const serving = await Serving.start();
    const second = new WebhookServer({
      address: { host: '127.0.0.1', port: serving.port },
      clock: systemClock(),
      logger: silentLogger,
    });
    const listening = second.listen(() => undefined);
    await expect(listening).rejects.toBeInstanceOf(ListenError);
    await expect(listening).rejects.toMatchObject({
      problems: [
        `--listen is "127.0.0.1:${serving.port}", but another process listens there; stop it or choose another port.`,
      ],
    });
  });
});

describe('with a client CA', () => {
  const named = async (serving: Serving, name: string) => {
    const { certPem, keyPem } = await serving.ca.client(name, []);
    return { cert: certPem, key: keyPem };
  };

  it('only clients with a certificate of it and an allowed name are answered', async () => {
    const serving = await Serving.start({}, { clientNames: ['kube-apiserver', 'other'] });
    const client = await named(serving, 'kube-apiserver');
    expect((await serving.ask({ body: good, client })).status).toBe(200);
    expect(await serving.ask({ body: good, client: await named(serving, 'somebody') })).toMatchObject({
      status: 403,
      body: 'the client certificate has none of the names of --client-name\n',
    });
    await expect(serving.ask({ body: good })).rejects.toThrow(
      /certificate required|hang up|ECONNRESET|EPIPE/,
    );
    const foreign = await (await CertificateAuthority.create('other')).client('kube-apiserver', []);
    await expect(
      serving.ask({ body: good, client: { cert: foreign.certPem, key: foreign.keyPem } }),
    ).rejects.toThrow(/unknown ca|hang up|ECONNRESET|EPIPE/);
  });

  it('any name will do when none is given, a DNS name will, and a new CA counts for new connections', async () => {
    const any = await Serving.start({}, { clientNames: [] });
    expect((await any.ask({ body: good, client: await named(any, 'somebody') })).status).toBe(200);
    const other = await CertificateAuthority.create('other');
    any.server.setClientCa(other.certPem);
    await expect(any.ask({ body: good, client: await named(any, 'somebody') })).rejects.toThrow(
      /unknown ca|hang up|ECONNRESET|EPIPE/,
    );
    any.server.setSecureContext(await any.certificate());
    const { certPem, keyPem } = await other.client('somebody', []);
    expect((await any.ask({ body: good, client: { cert: certPem, key: keyPem } })).status).toBe(200);
  });
});

describe('draining', () => {
  it('answers what comes, asks for connections to be closed, and ends', async () => {
    const clock = new ManualClock();
    const serving = await Serving.start({}, { clock });
    const agent = keepAlive();
    await serving.ask({ body: good, agent });
    const drained = serving.server.drain();
    const answer = await serving.ask({ body: good, agent });
    expect(answer).toMatchObject({ status: 200, reused: true });
    expect(answer.headers['connection']).toBe('close');
    expect((await serving.ask({ body: good })).headers['connection']).toBe('close');
    await clock.advance(2_000);
    await drained;
    await expect(serving.ask({ body: good })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('closes idle connections, and does not wait for ever for a request that does not end', async () => {
    const clock = new ManualClock();
    const serving = await Serving.start({}, { clock });
    const idle = connect({ host: '127.0.0.1', port: serving.port, ca: serving.ca.certPem });
    const slow = connect({ host: '127.0.0.1', port: serving.port, ca: serving.ca.certPem });
    await Promise.all([once(idle, 'secureConnect'), once(slow, 'secureConnect')]);
    slow.write('POST /validate HTTP/1.1\r\n');
    idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle, 'data');
    const drained = serving.server.drain();
    await clock.advance(2_000);
    idle.resume();
    await once(idle, 'close');
    expect(slow.destroyed).toBe(false);
    slow.resume();
    slow.on('error', () => undefined);
    await clock.advance(8_000);
    await once(slow, 'close');
    await drained;
  });

  it('lets a request that is under way finish', async () => {
    const serving = await Serving.start();
    const socket = connect({ host: '127.0.0.1', port: serving.port, ca: serving.ca.certPem });
    await once(socket, 'secureConnect');
    socket.write(
      `POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${good.length}\r\n\r\n`,
    );
    const drained = serving.server.drain();
    await expect.poll(async () => await refused(serving), { timeout: 10_000, interval: 20 }).toBe(true);
    socket.write(good);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close[^]*"uid":"u-1"/);
    await drained;
  });
});

async function refused(serving: Serving): Promise<boolean> {
  try {
    await serving.ask({ body: good });
    return false;
  } catch {
    return true;
  }
}

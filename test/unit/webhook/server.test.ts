import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../../shared/clock.ts';
import { ListenError } from '../../../shared/http/listen-error.ts';
import { type LogFields, type Logger, silentLogger } from '../../../shared/logger.ts';
import { BodyBudget } from '../../../webhook/body-budget.ts';
import { maxBodyBytes } from '../../../webhook/review-app.ts';
import { WebhookServer } from '../../../webhook/server.ts';
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

  it('is answered by a review even when the verdict makes no sense', async () => {
    const serving = await Serving.start({ answer: () => ({ uid: '', allowed: false }) });
    expect(JSON.parse((await serving.ask({ body: good })).body)).toMatchObject({
      response: { uid: 'u-1', allowed: false, status: { code: 500 } },
    });
  });

  it('of the largest size there is, is answered', async () => {
    const serving = await Serving.start();
    const padding = 'x'.repeat(maxBodyBytes - good.length - 1_000);
    const body = JSON.stringify({ ...JSON.parse(good), padding });
    expect((await serving.ask({ body })).status).toBe(200);
  });
});

describe('what is no review gets the right refusal', () => {
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
    ['an empty body in chunks', 400, 'the body is empty; it must be an AdmissionReview', { body: [] }],
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
      'too large a body in chunks',
      413,
      'the body is larger than 16777216 bytes',
      { body: Array.from({ length: 17 }, () => Buffer.alloc(1024 * 1024, 32)) },
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

describe('who is slow is cut off', () => {
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

describe('many large bodies at a time', () => {
  it('find room one after the other, and small ones do not wait for them', async () => {
    const clock = systemClock();
    const budget = new BodyBudget({
      totalBytes: 2e6,
      smallBytes: 1e5,
      maxWaitMs: 60_000,
      maxWaiting: 100,
      clock,
    });
    const serving = await Serving.start({ budget });
    // It takes all the room there is, and is never finished.
    const hog = connect({ host: '127.0.0.1', port: serving.port, ca: serving.ca.certPem });
    onTestFinished(() => void hog.destroy());
    await once(hog, 'secureConnect');
    hog.write(
      'POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n{',
    );
    const large = JSON.stringify({ ...JSON.parse(good), padding: 'x'.repeat(1e6) });
    expect((await serving.ask({ body: good })).status).toBe(200);
    const waiting = Promise.all(Array.from({ length: 5 }, () => serving.ask({ body: large })));
    expect((await serving.ask({ body: good })).status).toBe(200);
    hog.destroy();
    expect((await waiting).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it('are turned away when they would wait too long', async () => {
    const clock = systemClock();
    const budget = new BodyBudget({
      totalBytes: 1e6,
      smallBytes: 1e5,
      maxWaitMs: 50,
      maxWaiting: 100,
      clock,
    });
    const serving = await Serving.start({ budget });
    const giveBack = await budget.take(1e6);
    const large = JSON.stringify({ ...JSON.parse(good), padding: 'x'.repeat(5e5) });
    const answer = await serving.ask({ body: large });
    expect(answer).toMatchObject({ status: 503, body: 'too many large requests at a time; try again\n' });
    giveBack?.();
    expect((await serving.ask({ body: large })).status).toBe(200);
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

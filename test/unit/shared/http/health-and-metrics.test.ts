import { createConnection } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type HealthAndMetrics,
  type HealthAndMetricsOptions,
  serveHealthAndMetrics,
} from '../../../../shared/http/health-and-metrics.ts';
import { ListenError } from '../../../../shared/http/listen-error.ts';
import { silentLogger } from '../../../../shared/logger.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const running: HealthAndMetrics[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((served) => served.stop()));
});

async function serve(options: Partial<HealthAndMetricsOptions> = {}): Promise<HealthAndMetrics> {
  const served = await serveHealthAndMetrics({
    healthAddress: loopback,
    metricsAddress: undefined,
    livez: [],
    readyz: [],
    metrics: { contentType: 'text/plain; version=0.0.4', metrics: async () => 'up 1\n' },
    logger: silentLogger,
    ...options,
  });
  running.push(served);
  return served;
}

async function ask(
  port: number | undefined,
  path: string,
  method = 'GET',
): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, body: await response.text() };
}

const good = { name: 'cache', check: () => undefined };
const bad = { name: 'lease', check: () => 'not renewed' };
const broken = {
  name: 'lane',
  check: () => {
    throw new Error('canary');
  },
};

describe('health', () => {
  it('is ok in one word when every check passes', async () => {
    const { healthPort } = await serve({ readyz: [good] });
    expect(await ask(healthPort, '/readyz')).toEqual({ status: 200, body: 'ok' });
  });

  it('lists the checks when asked to', async () => {
    const { healthPort } = await serve({ readyz: [good] });
    expect(await ask(healthPort, '/readyz?verbose')).toEqual({
      status: 200,
      body: '[+]cache ok\nreadyz check passed\n',
    });
  });

  it('names what failed, unasked, and keeps an exception to itself', async () => {
    const { healthPort } = await serve({ readyz: [good, bad, broken] });
    expect(await ask(healthPort, '/readyz')).toEqual({
      status: 500,
      body: '[+]cache ok\n[-]lease failed: not renewed\n[-]lane failed: the check itself failed\nreadyz check failed\n',
    });
  });

  it('asks again each time, and liveness apart from readiness', async () => {
    const failures: string[] = [];
    const { healthPort } = await serve({
      livez: [{ name: 'loop', check: () => failures.at(-1) }],
      readyz: [bad],
    });
    expect((await ask(healthPort, '/livez')).status).toBe(200);
    failures.push('stuck');
    expect((await ask(healthPort, '/livez')).status).toBe(500);
  });
});

describe('the endpoint', () => {
  it('serves metrics and health on one port when both addresses are the same', async () => {
    const { healthPort, metricsPort } = await serve({ metricsAddress: { ...loopback } });
    expect(metricsPort).toBe(healthPort);
    expect(await ask(metricsPort, '/metrics')).toEqual({ status: 200, body: 'up 1\n' });
    expect((await ask(healthPort, '/livez')).status).toBe(200);
  });

  it('serves metrics alone on their own address', async () => {
    const { healthPort, metricsPort } = await serve({ healthAddress: undefined, metricsAddress: loopback });
    expect(healthPort).toBeUndefined();
    expect((await ask(metricsPort, '/metrics')).status).toBe(200);
    expect(await ask(metricsPort, '/livez')).toEqual({
      status: 404,
      body: 'not found; served here: /metrics\n',
    });
  });

  it('answers HEAD without a body and refuses to be written to', async () => {
    const { healthPort } = await serve();
    expect(await ask(healthPort, '/livez', 'HEAD')).toEqual({ status: 200, body: '' });
    expect((await ask(healthPort, '/livez', 'POST')).status).toBe(405);
  });

  it('keeps the message of a failure to itself', async () => {
    const { metricsPort } = await serve({
      metricsAddress: loopback,
      metrics: { contentType: 'text/plain', metrics: () => Promise.reject(new Error('canary')) },
    });
    expect(await ask(metricsPort, '/metrics')).toEqual({ status: 500, body: 'internal error\n' });
  });

  it('names the setting when its port is taken, and leaves nothing listening', async () => {
    const { healthPort = 0 } = await serve();
    const taken = { host: '127.0.0.1', port: healthPort };
    const failure: unknown = await serve({ metricsAddress: taken }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ListenError);
    expect(failure).toMatchObject({
      setting: 'metricsAddress',
      code: 'EADDRINUSE',
      problems: [
        `--metrics-address is "127.0.0.1:${healthPort}", but another process listens there; stop it or choose another port.`,
      ],
    });
  });

  it('stops although a client keeps its connection and says nothing', async () => {
    const served = await serve();
    const { healthPort = 0 } = served;
    const client = createConnection(healthPort, '127.0.0.1');
    await new Promise((resolve) => client.once('connect', resolve));
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.on('error', () => undefined);
    await served.stop();
    await closed;
    await expect(ask(healthPort, '/livez')).rejects.toThrow('fetch failed');
  });
});

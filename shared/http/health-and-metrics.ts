import type { Logger } from '../logger.ts';
import { formatListenAddress, type ListenAddress } from '../settings/listen-address.ts';
import { type HealthCheck, healthRoute } from './health-route.ts';
import type { Route } from './http-endpoint.ts';
import { type HttpEndpoint, type HttpEndpointOptions, startHttpEndpoint } from './http-endpoint.ts';

export interface HealthAndMetricsOptions {
  /** Undefined: not served. */
  readonly healthAddress: ListenAddress | undefined;
  /** Undefined: not served. The same as the health address: one server has both. */
  readonly metricsAddress: ListenAddress | undefined;
  /** Whether the process works. Excludes anything that a restart cannot fix. */
  readonly livez: readonly HealthCheck[];
  /** Whether this process does its work, or stands by for it. */
  readonly readyz: readonly HealthCheck[];
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** The part of prom-client's Registry that is needed. */
export interface Metrics {
  readonly contentType: string;
  metrics(): Promise<string>;
}

export interface HealthAndMetrics {
  /** The ports in use; undefined where nothing is served. */
  readonly healthPort: number | undefined;
  readonly metricsPort: number | undefined;
  stop(): Promise<void>;
}

/**
 * Serves `/livez` and `/readyz` on the health address and `/metrics` on the metrics address.
 *
 * @throws ListenError when an address cannot be used; then none is in use
 */
export async function serveHealthAndMetrics(options: HealthAndMetricsOptions): Promise<HealthAndMetrics> {
  const { healthAddress, metricsAddress, logger } = options;
  const health = {
    '/livez': healthRoute('livez', options.livez),
    '/readyz': healthRoute('readyz', options.readyz),
  };
  const metrics = { '/metrics': metricsRoute(options.metrics) };
  const shared =
    healthAddress !== undefined &&
    metricsAddress !== undefined &&
    formatListenAddress(healthAddress) === formatListenAddress(metricsAddress);
  const healthEndpoint = await startIfWanted(healthAddress, {
    setting: 'healthAddress',
    routes: shared ? { ...health, ...metrics } : health,
    logger,
  });
  try {
    const metricsEndpoint = shared
      ? healthEndpoint
      : await startIfWanted(metricsAddress, { setting: 'metricsAddress', routes: metrics, logger });
    return {
      healthPort: healthEndpoint?.port,
      metricsPort: metricsEndpoint?.port,
      async stop() {
        // Stopping the shared one twice does no harm.
        await Promise.all([healthEndpoint?.stop(), metricsEndpoint?.stop()]);
      },
    };
  } catch (error) {
    await healthEndpoint?.stop();
    throw error;
  }
}

async function startIfWanted(
  address: ListenAddress | undefined,
  rest: Omit<HttpEndpointOptions, 'address'>,
): Promise<HttpEndpoint | undefined> {
  return address === undefined ? undefined : await startHttpEndpoint({ address, ...rest });
}

function metricsRoute(metrics: Metrics): Route {
  return async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.metrics() });
}

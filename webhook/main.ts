import type { RequestListener } from 'node:http';
import { CertDir } from '../certs/cert-dir.ts';
import { CertificateManager } from '../certs/certificate-manager.ts';
import { registerCertificateMetrics } from '../certs/certificate-metrics.ts';
import { systemKeyMaterial } from '../certs/key-material.ts';
import type { ServingCertificates } from '../certs/serving-certificates.ts';
import { serveHealthAndMetrics } from '../shared/http/health-and-metrics.ts';
import type { HealthCheck } from '../shared/http/health-route.ts';
import { type Keys, keysOf } from '../shared/keys.ts';
import type { KubeClient } from '../shared/kube/client.ts';
import { connect } from '../shared/kube/connection/connection.ts';
import type { ProcessEnvironment } from '../shared/process-environment.ts';
import { ownClusterSpec } from '../shared/settings/given-kubeconfig.ts';
import { type AdmissionRequest, type AdmissionResponse, reviewFormat, wantedOf } from './admission-review.ts';
import { BodyBudget } from './body-budget.ts';
import { usualBudgetBytes } from './body-reader.ts';
import { CatalogWatch } from './catalog-watch.ts';
import { followClientCa, readClientCa } from './client-ca.ts';
import { ConfigurationWatch } from './configuration-watch.ts';
import { Judgements } from './judgements.ts';
import { RefusalLog, usualRefusalLog } from './refusal-log.ts';
import { refusalReasons, review } from './review.ts';
import { reviewApp, reviewPath } from './review-app.ts';
import { WebhookServer } from './server.ts';
import type { WebhookSettings } from './settings.ts';
import { WebhookMetrics } from './webhook-metrics.ts';

/**
 * Runs the webhook until the signal aborts, then drains it. Throws StartupError for input that nobody can work with: a
 * kubeconfig that is missing or unusable, an address that is taken. Everything that can heal is waited for.
 */
export async function runWebhook(settings: WebhookSettings, environment: ProcessEnvironment): Promise<void> {
  const { logger, clock, inCluster, version } = environment;
  const spec = await ownClusterSpec(settings.kubeconfig, inCluster);
  const { clientCa } = settings;
  const caPem = clientCa === undefined ? undefined : await readClientCa(clientCa);
  const client = connect(spec, { clock, logger, userAgent: `context-syncer/${version}` });
  try {
    await new Webhook(settings, environment, client, caPem).run();
  } finally {
    await client.close();
  }
}

/** The parts of one webhook process, and what they know of each other. */
class Webhook {
  readonly #settings: WebhookSettings;
  readonly #environment: ProcessEnvironment;
  readonly #keys: Keys;
  readonly #server: WebhookServer;
  readonly #catalog: CatalogWatch;
  readonly #configuration: ConfigurationWatch;
  readonly #certificates: ServingCertificates;
  readonly #metrics: WebhookMetrics;
  readonly #refusals: RefusalLog;
  readonly #judgements = new Judgements();
  readonly #clientCa: string | undefined;

  constructor(
    settings: WebhookSettings,
    environment: ProcessEnvironment,
    client: KubeClient,
    clientCa: string | undefined,
  ) {
    const { annotationPrefix, namespace, webhookConfiguration } = settings;
    this.#settings = settings;
    this.#environment = environment;
    this.#keys = keysOf(annotationPrefix);
    this.#clientCa = clientCa;
    this.#server = new WebhookServer({
      ...environment,
      address: settings.listen,
      clients: clientCa === undefined ? undefined : { caPem: clientCa, names: settings.clientName ?? [] },
    });
    this.#metrics = this.#makeMetrics();
    this.#refusals = new RefusalLog({ ...environment, ...usualRefusalLog });
    this.#catalog = new CatalogWatch({
      ...environment,
      client,
      namespace,
      installation: { annotationPrefix, namespace },
      onRead: (result) => {
        this.#metrics.catalogRead(result);
      },
    });
    this.#configuration = new ConfigurationWatch({
      ...environment,
      client,
      name: webhookConfiguration,
      keys: this.#keys,
    });
    this.#certificates = this.#makeCertificates(client);
    registerCertificateMetrics(this.#metrics.registry, () => this.#certificates.upkeep());
  }

  async run(): Promise<void> {
    const { logger, clock, signal } = this.#environment;
    const app = reviewApp({
      format: reviewFormat(),
      answer: (request) => this.#answer(request),
      wanted: wantedOf(this.#keys),
      budget: new BodyBudget(usualBudgetBytes),
      clock,
      logger,
    });
    const endpoints = await serveHealthAndMetrics({
      ...this.#settings,
      livez: [],
      readyz: this.#readiness(),
      metrics: this.#metrics.registry,
      logger,
    });
    logger.info('health and metrics are served', {
      healthPort: endpoints.healthPort,
      metricsPort: endpoints.metricsPort,
    });
    const stopping = new AbortController();
    try {
      const port = await this.#server.listen(this.#measured(app));
      logger.info('webhook is served', { port, path: reviewPath });
      await this.#work(AbortSignal.any([signal, stopping.signal]));
    } finally {
      stopping.abort();
      await endpoints.stop();
    }
  }

  /** Until the signal aborts. The catalog in memory serves while the last answers are given. */
  async #work(signal: AbortSignal): Promise<void> {
    const drained = new Promise<void>((resolve, reject) => {
      const drain = (): void => {
        this.#server.drain().then(resolve, reject);
      };
      signal.addEventListener('abort', drain, { once: true });
      if (signal.aborted) {
        drain();
      }
    });
    await Promise.all([
      this.#catalog.run(signal),
      this.#configuration.run(signal),
      this.#certificates.run(signal),
      this.#followClientCa(signal),
      drained,
    ]);
  }

  async #followClientCa(signal: AbortSignal): Promise<void> {
    const { clientCa } = this.#settings;
    if (clientCa !== undefined && this.#clientCa !== undefined) {
      const onChange = (caPem: string): void => {
        this.#server.setClientCa(caPem);
      };
      await followClientCa(this.#clientCa, { ...this.#environment, path: clientCa, onChange }, signal);
    }
  }

  #answer(request: AdmissionRequest): AdmissionResponse {
    const response = review(request, {
      keys: this.#keys,
      ownNamespace: this.#settings.namespace,
      contexts: this.#catalog.inUse,
      judgements: this.#judgements,
    });
    if (!response.allowed) {
      const reasons = refusalReasons(response);
      this.#metrics.denied(reasons);
      this.#refusals.refused({
        kind: request.kind.kind,
        namespace: request.namespace ?? '',
        name: request.name ?? '',
        operation: request.operation,
        reasons,
      });
    }
    return response;
  }

  #measured(handler: RequestListener): RequestListener {
    const { clock } = this.#environment;
    return (request, response) => {
      const started = clock.monotonic();
      const ended = this.#metrics.began(isReview(request.url) ? reviewPath : 'other');
      response.on('close', () => {
        ended(response.statusCode, (clock.monotonic() - started) / 1000);
      });
      handler(request, response);
    };
  }

  #makeMetrics(): WebhookMetrics {
    return new WebhookMetrics({
      catalogCurrent: () => this.#catalog.current,
      catalogAgeSeconds: () => this.#catalog.ageSeconds,
      catalogContexts: () => {
        const inUse = this.#catalog.inUse;
        return 'catalog' in inUse ? inUse.catalog.contexts.size : undefined;
      },
      differingSettings: () => this.#catalog.differingSettings.length,
      configurationProblems: () => this.#configuration.problems.length,
      certificateExpiry: () => this.#certificates.expiry(),
    });
  }

  #makeCertificates(client: KubeClient): ServingCertificates {
    const { certDir, namespace, servingNames, webhookConfiguration } = this.#settings;
    const onLeaf = (pair: { readonly certPem: string; readonly keyPem: string }): void => {
      this.#server.setSecureContext(pair);
    };
    return certDir === undefined
      ? new CertificateManager({
          ...this.#environment,
          client,
          namespace,
          configurationName: webhookConfiguration,
          servingNames,
          material: systemKeyMaterial,
          onLeaf,
        })
      : new CertDir({ ...this.#environment, folder: certDir, onLeaf });
  }

  /**
   * Only what another replica or a restart could do better. A missing catalog does not count: a webhook that is not ready
   * could not even refuse with a reason. Conditions that look wrong are a metric and a log line.
   */
  #readiness(): readonly HealthCheck[] {
    return [
      { name: 'serving', check: () => (this.#server.draining ? 'the webhook is stopping' : undefined) },
      { name: 'certificate', check: () => this.#certificates.problem() },
      { name: 'configuration', check: () => this.#configuration.otherPrefix },
    ];
  }
}

/** The API server adds its time-out as a query. */
function isReview(url = ''): boolean {
  return url === reviewPath || url.startsWith(`${reviewPath}?`);
}

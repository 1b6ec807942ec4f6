import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds; the API server gives up after `timeoutSeconds` of the configuration, which is 3. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3];

/** What the gauges read at the moment of a scrape. */
export interface WebhookMetricsSources {
  catalogCurrent(): boolean;
  catalogAgeSeconds(): number | undefined;
  catalogContexts(): number | undefined;
  differingSettings(): number;
  configurationProblems(): number;
  /** Milliseconds since the epoch. */
  certificateExpiry(): { readonly leaf: number | undefined; readonly authority: number | undefined };
}

/** Prometheus metrics; those of requests have controller-runtime's names. Labels never hold names of users' objects. */
export class WebhookMetrics {
  readonly registry = new Registry();
  readonly #requests: Counter<'webhook' | 'code'>;
  readonly #latency: Histogram<'webhook'>;
  readonly #inFlight = new Map<string, number>();
  readonly #denials: Counter<'reason'>;
  readonly #catalogReads: Counter<'result'>;

  constructor(read: WebhookMetricsSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: 'controller_runtime_webhook_requests_total',
      help: 'Requests by HTTP status.',
      labelNames: ['webhook', 'code'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'controller_runtime_webhook_latency_seconds',
      help: 'Time from the headers of a request to the end of its answer.',
      labelNames: ['webhook'],
      buckets,
      registers,
    });
    const inFlight = new Gauge<'webhook'>({
      name: 'controller_runtime_webhook_requests_in_flight',
      help: 'Requests under way.',
      labelNames: ['webhook'],
      registers,
      collect: () => {
        for (const [webhook, requests] of this.#inFlight) {
          inFlight.set({ webhook }, requests);
        }
      },
    });
    this.#denials = new Counter({
      name: 'context_syncer_webhook_denials_total',
      help: 'Refused objects, by reason; an object can have several.',
      labelNames: ['reason'],
      registers,
    });
    this.#catalogReads = new Counter({
      name: 'context_syncer_catalog_reads_total',
      help: 'Published catalogs that were looked at, by result.',
      labelNames: ['result'],
      registers,
    });
    this.#addGauges(read);
  }

  /** A request of a path begins; the returned function is called when it has ended. `webhook` must be one of a few. */
  began(webhook: string): (code: number, seconds: number) => void {
    this.#inFlight.set(webhook, (this.#inFlight.get(webhook) ?? 0) + 1);
    return (code, seconds) => {
      this.#inFlight.set(webhook, (this.#inFlight.get(webhook) ?? 0) - 1);
      this.#requests.inc({ webhook, code });
      this.#latency.observe({ webhook }, seconds);
    };
  }

  denied(reasons: readonly string[]): void {
    for (const reason of reasons) {
      this.#denials.inc({ reason });
    }
  }

  catalogRead(result: 'accepted' | 'refused'): void {
    this.#catalogReads.inc({ result });
  }

  #addGauges(read: WebhookMetricsSources): void {
    /** A gauge without a value is left out of the answer. */
    const gauge = (name: string, help: string, value: () => number | undefined): void => {
      const registered: Gauge = new Gauge({
        name,
        help,
        registers: [this.registry],
        collect: () => {
          const now = value();
          if (now === undefined) {
            registered.remove();
          } else {
            registered.set(now);
          }
        },
      });
    };
    gauge('context_syncer_catalog_ok', '1 while the catalog in use is the published one.', () =>
      Number(read.catalogCurrent()),
    );
    gauge(
      'context_syncer_catalog_age_seconds',
      'Time since the catalog in use was last known to be the published one; a watch says so about once a minute.',
      () => read.catalogAgeSeconds(),
    );
    gauge(
      'context_syncer_catalog_settings_differing',
      'Settings in which the controller that published the catalog in use differs from the webhook.',
      () => read.differingSettings(),
    );
    gauge('context_syncer_catalog_contexts', 'Contexts of the catalog in use.', () => read.catalogContexts());
    gauge(
      'context_syncer_webhook_configuration_problems',
      'What is wrong with the webhook configuration.',
      () => read.configurationProblems(),
    );
    const seconds = (ms: number | undefined): number | undefined =>
      ms === undefined ? undefined : ms / 1000;
    gauge(
      'context_syncer_serving_certificate_expiry_timestamp_seconds',
      'When the serving certificate in use expires.',
      () => seconds(read.certificateExpiry().leaf),
    );
    gauge(
      'context_syncer_ca_certificate_expiry_timestamp_seconds',
      'When the certificate authority that signs expires.',
      () => seconds(read.certificateExpiry().authority),
    );
  }
}

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Upkeep } from './serving-certificates.ts';

/** Registers the metrics of a CA bundle of our own; without one, the metrics are there and have no samples. */
export function registerCertificateMetrics(registry: Registry, upkeep: () => Upkeep | undefined): void {
  const writes: Counter = new Counter({
    name: 'context_syncer_ca_bundle_writes_total',
    help: 'Writes of the CA bundle of the webhook configuration. Many mean that something else keeps changing it.',
    registers: [registry],
    collect: () => {
      writes.reset();
      writes.inc(upkeep()?.caBundleWrites ?? 0);
    },
  });
  const offset: Gauge = new Gauge({
    name: 'context_syncer_clock_offset_seconds',
    help: "How far this process's clock is ahead of the API server's.",
    registers: [registry],
    collect: () => {
      const ms = upkeep()?.clockOffsetMs;
      if (ms === undefined) offset.remove();
      else offset.set(ms / 1000);
    },
  });
}

import type { WebhookConfiguration } from '../../../certs/ca-bundle.ts';
import { type ParsedCas, parseCas } from '../../../certs/ca-document.ts';
import { isCurrent, parseCertificate } from '../../../certs/certificate.ts';
import { CertificateManager } from '../../../certs/certificate-manager.ts';
import { chainsTo } from '../../../certs/live-bundle.ts';
import type { ServingCertificate } from '../../../certs/serving-certificates.ts';
import type { Clock } from '../../../shared/clock.ts';
import { TransportError } from '../../../shared/kube/errors.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { secrets, validatingWebhookConfigurations } from '../../../shared/kube/resource.ts';
import { type LogFields, type Logger, silentLogger } from '../../../shared/logger.ts';
import { FakeApi, type FakeCall, type FakeFault } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { quickKeys } from './quick-keys.ts';

const namespace = 'context-syncer';
const secretName = 'context-syncer-webhook-ca';
const configurationName = 'context-syncer';
const keys = quickKeys();

/** One process: its connection, its clock, and its serving certificates. */
export class Replica {
  readonly api: FakeApi;
  readonly manager: CertificateManager;
  readonly served: ServingCertificate[] = [];
  /** Lines of the log at info and above. */
  readonly logged: { readonly message: string; readonly fields: LogFields | undefined }[] = [];
  /** It was ready at least once, so that API servers call it. */
  seenReady = false;
  onLeaf: (certificate: ServingCertificate) => void = () => undefined;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  /** How far its clock is ahead of the cluster's, milliseconds; a person corrects it with 0. */
  skewMs: number;

  constructor(api: FakeApi, clusterClock: Clock, skewMs: number) {
    this.api = api;
    this.skewMs = skewMs;
    const clock: Clock = {
      now: () => clusterClock.now() + this.skewMs,
      monotonic: () => clusterClock.monotonic(),
      sleep: (ms, signal) => clusterClock.sleep(ms, signal),
      schedule: (ms, run) => clusterClock.schedule(ms, run),
    };
    const log = (message: string, fields?: LogFields): void => {
      this.logged.push({ message, fields });
    };
    const logger: Logger = { ...silentLogger, info: log, warn: log, error: log, with: () => logger };
    this.manager = new CertificateManager({
      client: api,
      namespace,
      configurationName,
      servingNames: ['hook.context-syncer.svc'],
      material: keys,
      clock,
      random: () => 0.5,
      logger,
      onLeaf: (certificate) => {
        this.onLeaf(certificate);
        this.served.push(certificate);
      },
    });
    this.#done = this.manager.run(this.#stop.signal);
  }

  get leaf(): ServingCertificate | undefined {
    return this.served.at(-1);
  }

  /** No call arrives any more, and watches break, until `reconnect`. */
  cutOff(): void {
    this.api.fault = () => ({ before: new TransportError('ConnectionRefused', false, '') });
    this.api.endWatches(new TransportError('ConnectionReset', true, ''));
  }

  reconnect(fault: (call: FakeCall) => FakeFault | undefined = () => undefined): void {
    this.api.fault = fault;
  }

  async kill(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

/** One cluster with a webhook configuration of two webhooks, and the replicas on it. */
export class Cluster {
  readonly clock = new ManualClock();
  readonly api = new FakeApi(this.clock);
  readonly replicas: Replica[] = [];

  constructor() {
    this.putConfiguration();
    this.applySecret();
  }

  /** A replica whose clock differs from the cluster's. */
  start(skewMs = 0, fault?: (call: FakeCall) => FakeFault | undefined): Replica {
    const api = this.api.connection();
    if (fault !== undefined) api.fault = fault;
    const replica = new Replica(api, this.clock, skewMs);
    this.replicas.push(replica);
    return replica;
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.kill()));
  }

  /** The caBundle of every webhook, as text. */
  get live(): string[] {
    const configuration = this.api.peek<WebhookConfiguration>(
      validatingWebhookConfigurations,
      undefined,
      configurationName,
    );
    return (configuration?.webhooks ?? []).map(({ clientConfig }) =>
      Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
    );
  }

  get stored(): ParsedCas | undefined {
    const secret = this.api.peek<PayloadObject>(secrets, namespace, secretName);
    return secret === undefined
      ? undefined
      : parseCas(Buffer.from(secret.data?.['authorities.json'] ?? '', 'base64').toString());
  }

  putConfiguration(...bundles: readonly [string?, string?]): void {
    const webhooks = ['a', 'b'].map((name, index) => {
      const text = bundles[index];
      const caBundle = text === undefined ? {} : { caBundle: Buffer.from(text).toString('base64') };
      return { name: `${name}.example.com`, clientConfig: { ...caBundle, service: { name: 'hook' } } };
    });
    const configuration = { metadata: { name: configurationName }, webhooks };
    this.api.put(validatingWebhookConfigurations, configuration);
  }

  dropConfiguration(): void {
    this.api.drop(validatingWebhookConfigurations, undefined, configurationName);
  }

  /** Applies the manifests: an empty Secret, unless there is one. */
  applySecret(): void {
    if (this.api.peek(secrets, namespace, secretName) === undefined) {
      this.api.put<PayloadObject>(secrets, { metadata: { namespace, name: secretName }, type: 'Opaque' });
    }
  }

  putSecret(text: string): void {
    const data = { 'authorities.json': Buffer.from(text).toString('base64') };
    this.api.put<PayloadObject>(secrets, { metadata: { namespace, name: secretName }, type: 'Opaque', data });
  }

  dropSecret(): void {
    this.api.drop(secrets, namespace, secretName);
  }

  /** Whether API servers can verify the replica: its serving certificate chains to the live bundle. */
  verifies({ leaf }: Replica): boolean {
    return leaf !== undefined && chainsTo(leaf.certPem, this.live);
  }

  /** Whether the replica's serving certificate is valid now, by the cluster's clock. */
  isCurrent({ leaf }: Replica): boolean {
    const certificate = leaf === undefined ? undefined : parseCertificate(leaf.certPem);
    return certificate !== undefined && isCurrent(certificate, this.clock.now());
  }

  get allReady(): boolean {
    return this.replicas.every(({ manager }) => manager.problem() === undefined);
  }
}

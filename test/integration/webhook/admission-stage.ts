import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { defaultCaSecretName } from '../../../certs/certificate-manager.ts';
import type { CatalogContext } from '../../../shared/catalog/catalog.ts';
import { catalogConfigMapName, catalogKey, formatCatalog } from '../../../shared/catalog/document.ts';
import { isRecord } from '../../../shared/is-record.ts';
import { freePort } from '../../sandbox/network/free-port.ts';
import type { ControlPlane, Sandbox } from '../../sandbox/sandbox.ts';
import { WebhookProcess } from './webhook-process.ts';

const manifest = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'manifests',
  'base',
  'webhook-configuration.yaml',
);
const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const configMaps = '/api/v1/namespaces/context-syncer/configmaps';

/** A real API server that asks the webhook, by the configuration of the manifests with a local URL in it. */
export class AdmissionStage {
  readonly source: ControlPlane;
  readonly certDir: string;
  readonly port: number;
  #webhook: WebhookProcess | undefined;

  private constructor(sandbox: Sandbox, certDir: string, port: number) {
    this.source = sandbox.source;
    this.certDir = certDir;
    this.port = port;
  }

  static async prepare(sandbox: Sandbox): Promise<AdmissionStage> {
    const { source } = sandbox;
    const certDir = join(sandbox.folder, 'webhook-certificates');
    await mkdir(certDir);
    const stage = new AdmissionStage(sandbox, certDir, await freePort());
    await stage.writeCertificate();
    await Promise.all(
      ['context-syncer', 'demo'].map((name) =>
        source.request('POST', '/api/v1/namespaces', { metadata: { name } }),
      ),
    );
    await source.request('POST', '/api/v1/namespaces/context-syncer/secrets', {
      metadata: { name: defaultCaSecretName },
    });
    await source.request('POST', configurations, await stage.configuration());
    return stage;
  }

  get webhook(): WebhookProcess {
    if (this.#webhook === undefined) {
      throw new Error('the webhook was not started');
    }
    return this.#webhook;
  }

  /** Certificates come from the folder unless flags are given. */
  async startWebhook(
    flags: readonly string[] = [],
    certificates: readonly string[] = [`--cert-dir=${this.certDir}`],
  ): Promise<WebhookProcess> {
    this.#webhook = new WebhookProcess([
      `--kubeconfig=${this.source.kubeconfigFile}`,
      `--listen=127.0.0.1:${this.port}`,
      ...certificates,
      ...flags,
    ]);
    return this.#webhook;
  }

  /** One more, on a port of its own; ending it is left to the caller. */
  launchWebhook(port: number): WebhookProcess {
    return new WebhookProcess([
      `--kubeconfig=${this.source.kubeconfigFile}`,
      `--listen=127.0.0.1:${port}`,
      `--cert-dir=${this.certDir}`,
    ]);
  }

  /** The caBundle of the live configuration; empty where there is none. */
  async caBundle(): Promise<string> {
    const { body } = await this.source.request<{
      readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
    }>('GET', `${configurations}/context-syncer`);
    return body.webhooks[0]?.clientConfig.caBundle ?? '';
  }

  async wipeCaBundle(): Promise<void> {
    await this.source.request(
      'PATCH',
      `${configurations}/context-syncer`,
      [{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }],
      { contentType: 'application/json-patch+json' },
    );
  }

  async endWebhook(): Promise<void> {
    await this.#webhook?.kill();
    this.#webhook = undefined;
  }

  /** A fresh serving certificate into the folder. */
  async writeCertificate(): Promise<void> {
    const { certPem, keyPem } = await this.source.ca.serving({ dns: [], ip: ['127.0.0.1'] });
    await writeFile(join(this.certDir, 'tls.key'), keyPem, { mode: 0o600 });
    await writeFile(join(this.certDir, 'tls.crt'), certPem);
  }

  /** Publishes a catalog as the controller does; a text is published as it is, undefined deletes it. */
  async publish(catalog: readonly CatalogContext[] | string | undefined): Promise<void> {
    await this.source.request('DELETE', `${configMaps}/${catalogConfigMapName}`, undefined, {
      allowFailure: true,
    });
    if (catalog === undefined) {
      return;
    }
    const text =
      typeof catalog === 'string'
        ? catalog
        : formatCatalog({ contexts: new Map(catalog.map((context) => [context.name, context])) });
    await this.source.request('POST', configMaps, {
      metadata: { name: catalogConfigMapName },
      data: { [catalogKey]: text },
    });
  }

  /** The configuration of the manifests, its Service replaced by the local URL; null: without a caBundle, as it is applied. */
  async configuration(
    change: (text: string) => string = (text) => text,
    caPem: string | null = this.source.caPem,
  ): Promise<unknown> {
    const parsed: unknown = parse(change(await readFile(manifest, 'utf8')));
    const webhooks: unknown = isRecord(parsed) ? parsed['webhooks'] : undefined;
    if (!isRecord(parsed) || !Array.isArray(webhooks)) {
      throw new Error(`${manifest} is no webhook configuration`);
    }
    const clientConfig = {
      url: `https://127.0.0.1:${this.port}/validate`,
      ...(caPem === null ? {} : { caBundle: Buffer.from(caPem).toString('base64') }),
    };
    return {
      ...parsed,
      webhooks: webhooks.map((webhook: unknown) =>
        isRecord(webhook) ? { ...webhook, clientConfig } : webhook,
      ),
    };
  }

  /** Replaces the configuration in force. */
  async setConfiguration(change?: (text: string) => string, caPem?: string | null): Promise<void> {
    await this.source.request('DELETE', `${configurations}/context-syncer`);
    await this.source.request('POST', configurations, await this.configuration(change, caPem));
  }
}

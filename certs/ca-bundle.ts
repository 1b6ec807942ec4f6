import type { KubeClient } from '../shared/kube/client.ts';
import { isApiError } from '../shared/kube/errors.ts';
import type { KubeObject } from '../shared/kube/object.ts';
import { validatingWebhookConfigurations } from '../shared/kube/resource.ts';
import type { LiveBundle } from './live-bundle.ts';

/** What is read of a ValidatingWebhookConfiguration; everything else in it travels back unchanged. */
export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}

export type ReadBundle =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'present';
      /** One for each webhook, in their order. */
      readonly live: LiveBundle;
      readonly configuration: WebhookConfiguration;
    };

/** The `caBundle` of all webhooks of one named ValidatingWebhookConfiguration. */
export class CaBundle {
  readonly #client: KubeClient;
  readonly #name: string;

  constructor(options: { readonly client: KubeClient; readonly name: string }) {
    this.#client = options.client;
    this.#name = options.name;
  }

  /** Throws as KubeClient does. */
  async read(signal: AbortSignal): Promise<ReadBundle> {
    try {
      const configuration = await this.#client.get<WebhookConfiguration>(
        validatingWebhookConfigurations,
        undefined,
        this.#name,
        { signal },
      );
      const live = (configuration.webhooks ?? []).map(({ clientConfig }) =>
        Buffer.from(clientConfig.caBundle ?? '', 'base64').toString('utf8'),
      );
      return { kind: 'present', live, configuration };
    } catch (error) {
      if (isApiError(error, 'NotFound')) return { kind: 'absent' };
      throw error;
    }
  }

  /**
   * Gives every webhook this bundle, while the configuration still is at the version that was read. Whether it took
   * effect is only known from reading it back. Throws as KubeClient does.
   *
   * @returns `lost` when the configuration changed or went away meanwhile
   */
  async write(
    { configuration }: Extract<ReadBundle, { kind: 'present' }>,
    caBundle: string,
    signal: AbortSignal,
  ): Promise<'written' | 'lost'> {
    const encoded = Buffer.from(caBundle).toString('base64');
    const webhooks = (configuration.webhooks ?? []).map((webhook) => ({
      ...webhook,
      clientConfig: { ...webhook.clientConfig, caBundle: encoded },
    }));
    try {
      // A merge patch replaces the whole list, hence the version: what others changed in it must not be undone.
      await this.#client.patch<WebhookConfiguration>(
        validatingWebhookConfigurations,
        undefined,
        this.#name,
        'merge',
        { metadata: { resourceVersion: configuration.metadata.resourceVersion }, webhooks },
        { signal },
      );
      return 'written';
    } catch (error) {
      if (isApiError(error, 'Conflict', 'NotFound')) return 'lost';
      throw error;
    }
  }
}

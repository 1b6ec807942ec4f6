import type { KubeClient } from '../shared/kube/client.ts';
import { isApiError } from '../shared/kube/errors.ts';
import type { PayloadObject } from '../shared/kube/object.ts';
import { secrets } from '../shared/kube/resource.ts';
import { caEntry, formatCas, type ParsedCas, parseCas, type SharedCas } from './ca-document.ts';

/** The Secret's content when it was read, and the object that a write builds on. */
export type StoredCas = { readonly kind: 'absent' } | (ParsedCas & { readonly secret: PayloadObject });

/**
 * The Secret with the CAs, one for all replicas. The manifests ship it empty, and it is never created here: a right to
 * create Secrets would be a right to make a token of any ServiceAccount in the namespace.
 */
export class CaStore {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #name: string;

  constructor(options: { readonly client: KubeClient; readonly namespace: string; readonly name: string }) {
    this.#client = options.client;
    this.#namespace = options.namespace;
    this.#name = options.name;
  }

  /**
   * Reads through the API, never from a mounted volume, which lags by a minute and more. Throws as KubeClient does.
   *
   * @param onServerTime called with the API server's clock, milliseconds since the epoch
   */
  async read(signal: AbortSignal, onServerTime: (time: number) => void): Promise<StoredCas> {
    try {
      const secret = await this.#client.get<PayloadObject>(secrets, this.#namespace, this.#name, {
        signal,
        onServerTime,
      });
      const text = Buffer.from(secret.data?.[caEntry] ?? '', 'base64').toString('utf8');
      return { ...parseCas(text), secret };
    } catch (error) {
      if (isApiError(error, 'NotFound', 'NamespaceNotFound')) return { kind: 'absent' };
      throw error;
    }
  }

  /**
   * Replaces the content while the Secret still is the object and version that was read. Its labels, annotations and
   * other entries stay. Throws as KubeClient does.
   *
   * @returns `lost` when another replica was faster or the Secret was deleted: read again
   */
  async write(secret: PayloadObject, cas: SharedCas, signal: AbortSignal): Promise<'written' | 'lost'> {
    const data = { ...secret.data, [caEntry]: Buffer.from(formatCas(cas)).toString('base64') };
    try {
      await this.#client.update<PayloadObject>(secrets, { ...secret, data }, { signal });
      return 'written';
    } catch (error) {
      if (isApiError(error, 'Conflict', 'NotFound')) return 'lost';
      throw error;
    }
  }
}

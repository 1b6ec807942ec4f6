import type { KubeClient } from '../shared/kube/client.ts';
import { isApiError } from '../shared/kube/errors.ts';
import type { PayloadObject } from '../shared/kube/object.ts';
import { secrets } from '../shared/kube/resource.ts';
import type { Authorities } from './authorities.ts';
import {
  authoritiesEntry,
  formatAuthorities,
  type ParsedAuthorities,
  parseAuthorities,
} from './authorities-document.ts';

/** What the Secret held when it was read, and the version that a write builds on. */
export type StoredAuthorities =
  | { readonly kind: 'absent' }
  | (ParsedAuthorities & { readonly resourceVersion: string | undefined });

/** `lost`: another replica was faster, or the Secret went away; read again. */
export type StoreOutcome = 'written' | 'lost';

/** The Secret with the certificate authorities, one for all replicas. The API server decides every race. */
export class CaStore {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #name: string;

  constructor(options: { readonly client: KubeClient; readonly namespace: string; readonly name: string }) {
    this.#client = options.client;
    this.#namespace = options.namespace;
    this.#name = options.name;
  }

  /** Reads through the API, never from a mounted volume: that lags by a minute and more. Throws as KubeClient does. */
  async read(signal: AbortSignal): Promise<StoredAuthorities> {
    let secret: PayloadObject;
    try {
      secret = await this.#client.get<PayloadObject>(secrets, this.#namespace, this.#name, { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound', 'NamespaceNotFound')) return { kind: 'absent' };
      throw error;
    }
    const text = Buffer.from(secret.data?.[authoritiesEntry] ?? '', 'base64').toString('utf8');
    return { ...parseAuthorities(text), resourceVersion: secret.metadata.resourceVersion };
  }

  /**
   * Writes on top of what was read: a Secret that was absent is created, any other is changed only while it still is
   * at that version. Labels, annotations and other entries stay. Throws as KubeClient does.
   */
  async write(read: StoredAuthorities, content: Authorities, signal: AbortSignal): Promise<StoreOutcome> {
    const data = { [authoritiesEntry]: Buffer.from(formatAuthorities(content)).toString('base64') };
    try {
      if (read.kind === 'absent') await this.#create(data, signal);
      else await this.#change(read.resourceVersion, data, signal);
    } catch (error) {
      if (isApiError(error, 'AlreadyExists', 'Conflict', 'NotFound')) return 'lost';
      throw error;
    }
    return 'written';
  }

  async #create(data: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    await this.#client.create<PayloadObject>(
      secrets,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: this.#name,
          namespace: this.#namespace,
          labels: { 'app.kubernetes.io/name': 'context-syncer' },
        },
        type: 'Opaque',
        data,
      },
      { signal },
    );
  }

  async #change(
    resourceVersion: string | undefined,
    data: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    // A version in a patch makes the API server answer 409 when it is not the newest.
    await this.#client.patch<PayloadObject>(
      secrets,
      this.#namespace,
      this.#name,
      'merge',
      { metadata: { resourceVersion }, data },
      { signal },
    );
  }
}

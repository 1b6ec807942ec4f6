import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { keysOf } from '../../../shared/keys.ts';
import { grantIn } from '../../harness/rbac.ts';
import type { ControlPlane } from '../../sandbox/control-plane/control-plane.ts';

const { syncContexts } = keysOf('kubed.appscode.com');

export interface Created {
  readonly status: number;
  readonly body: string;
}

/** Somebody who may create ConfigMaps in a namespace of his own, over connections of his own. */
export class Tenant {
  readonly namespace: string;
  readonly #place: ControlPlane;
  readonly #token: string;
  readonly #agent: Agent;
  #created = 0;

  private constructor(place: ControlPlane, namespace: string, token: string) {
    this.#place = place;
    this.namespace = namespace;
    this.#token = token;
    this.#agent = new Agent({ keepAlive: true, ca: place.caPem });
  }

  static async settle(place: ControlPlane, namespace: string): Promise<Tenant> {
    await place.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    const token = await place.serviceAccountToken(namespace, 'tenant');
    const subject = { kind: 'ServiceAccount', namespace, name: 'tenant' } as const;
    await grantIn(place, namespace, 'tenant', subject, [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
    ]);
    return new Tenant(place, namespace, token);
  }

  /** Creates an object with this list; yields the status and the body of the answer. */
  async create(list: string): Promise<Created> {
    return await this.#post({
      name: `object-${this.#created++}`,
      annotations: { [syncContexts]: list },
    });
  }

  /** Creates an object that the API server refuses by itself, without asking a webhook. */
  async createMisnamed(): Promise<Created> {
    return await this.#post({ name: 'Not A Name' });
  }

  async #post(metadata: object): Promise<Created> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    const url = `${this.#place.url}/api/v1/namespaces/${this.namespace}/configmaps`;
    const headers = { Authorization: `Bearer ${this.#token}`, 'Content-Type': 'application/json' };
    const sent = request(url, { method: 'POST', agent: this.#agent, headers });
    sent.on('error', reject);
    sent.on('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    sent.end(JSON.stringify({ metadata }));
    return await promise;
  }

  leave(): void {
    this.#agent.destroy();
  }
}

import { randomBytes } from 'node:crypto';
import { json, type LocalServer, serve } from '../unit/shared/kube/local-server.ts';

export const serviceAccount = 'context-syncer@demo.iam.gserviceaccount.com';

/** Google's metadata server and its Security Token Service on 127.0.0.1, and what GKE does with a token. */
export class FakeGoogle implements AsyncDisposable {
  readonly #server: LocalServer;
  readonly #tokens = new Map<string, number>();
  readonly #current = { token: '' };
  /** The subject token that workload identity federation takes. */
  readonly podToken = randomBytes(12).toString('hex');
  /** Seconds that tokens live. */
  lifetime = 3600;
  /** The error code with which every token is refused. */
  refuseWith: string | undefined;
  issued = 0;

  private constructor(server: LocalServer) {
    this.#server = server;
  }

  static async start(): Promise<FakeGoogle> {
    const server = await serve((_request, response) => response.end());
    const fake = new FakeGoogle(server);
    server.respond = (request, response) => {
      const { pathname } = new URL(request.url ?? '', fake.url);
      response.setHeader('Metadata-Flavor', 'Google');
      if (pathname.endsWith('/token')) {
        fake.#answer(response);
      } else if (pathname.endsWith('/email')) {
        response.end(serviceAccount);
      } else if (pathname.endsWith('/universe-domain') || pathname.endsWith('/universe_domain')) {
        response.end('googleapis.com');
      } else if (pathname.endsWith('/service-accounts/')) {
        json(response, 200, { default: { email: serviceAccount, aliases: ['default'], scopes: [] } });
      } else {
        response.end('computeMetadata/');
      }
    };
    return fake;
  }

  get url(): string {
    return this.#server.url;
  }

  /** Variables of a Pod on GKE. */
  get environment(): Record<string, string> {
    return {
      GCE_METADATA_HOST: `127.0.0.1:${this.#server.port}`,
      METADATA_SERVER_DETECTION: 'assume-present',
    };
  }

  /** The file of workload identity federation outside of Google Cloud. `tokenFile` holds a subject token. */
  federation(tokenFile: string): object {
    return {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${this.url}/v1/token`,
      credential_source: { file: tokenFile },
    };
  }

  /** The user that a token stands for. Throws where GKE would refuse it: it is unknown, or has expired. */
  verify(token: string, now = Date.now()): string {
    const expiresAt = this.#tokens.get(token);
    if (expiresAt === undefined || expiresAt <= now) {
      throw new Error('invalid token');
    }
    return serviceAccount;
  }

  /** From now on only a new token is good. */
  revoke(): void {
    this.#tokens.clear();
  }

  get currentToken(): string {
    return this.#current.token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  #answer(response: Parameters<typeof json>[0]): void {
    if (this.refuseWith !== undefined) {
      json(response, 403, { error: this.refuseWith, error_description: 'CANARY' });
      return;
    }
    const token = `ya29.${randomBytes(24).toString('base64url')}`;
    this.issued += 1;
    this.#current.token = token;
    this.#tokens.set(token, Date.now() + this.lifetime * 1000);
    json(response, 200, {
      access_token: token,
      expires_in: this.lifetime,
      token_type: 'Bearer',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
  }
}

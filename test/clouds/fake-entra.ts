import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { CertificateAuthority } from '../sandbox/control-plane/certificate-authority.ts';
import { json, type LocalServer, serve } from '../unit/shared/kube/local-server.ts';

export const tenantId = '11111111-2222-3333-4444-555555555555';
export const clientId = '66666666-7777-8888-9999-000000000000';
export const objectId = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
export const aksServerId = '6dae42f8-4368-4678-94ff-3960e28e3630';

/** Microsoft Entra ID (HTTPS) and the instance metadata service (HTTP) on 127.0.0.1, and what AKS does with a token. */
export class FakeEntra implements AsyncDisposable {
  readonly #authority: LocalServer;
  readonly #metadata: LocalServer;
  readonly #tokens = new Map<string, number>();
  /** The federated token, or the client secret, that is good. */
  readonly podToken = randomBytes(12).toString('hex');
  /** Seconds that tokens live. */
  lifetime = 3600;
  /** The AADSTS number with which every token is refused. */
  refuseWith: number | undefined;
  /** Parameters of the requests for tokens. */
  readonly requests: URLSearchParams[] = [];

  private constructor(authority: LocalServer, metadata: LocalServer) {
    this.#authority = authority;
    this.#metadata = metadata;
  }

  /** Without a certificate authority there is plain HTTP, which is good for managed identities only. */
  static async start(ca?: CertificateAuthority): Promise<FakeEntra> {
    const serving = await ca?.serving({ dns: ['localhost'], ip: ['127.0.0.1'] });
    const [authority, metadata] = await Promise.all([
      serve(
        (_request, response) => response.end(),
        serving === undefined ? undefined : { cert: serving.certPem, key: serving.keyPem },
      ),
      serve((_request, response) => response.end()),
    ]);
    const fake = new FakeEntra(authority, metadata);
    authority.respond = (request, response) => {
      fake.#authorize(request, response).catch(() => response.writeHead(500).end());
    };
    metadata.respond = (request, response) => {
      fake.#issue(new URL(request.url ?? '', metadata.url).searchParams, true, response);
    };
    return fake;
  }

  /** Variables of a Pod with workload identity, whose `tokenFile` holds `podToken`, and of a node with a managed identity. */
  environment(tokenFile: string): Record<string, string> {
    return {
      AZURE_AUTHORITY_HOST: `${this.#authority.url}/`,
      AZURE_CLIENT_ID: clientId,
      AZURE_TENANT_ID: tenantId,
      AZURE_FEDERATED_TOKEN_FILE: tokenFile,
      AZURE_POD_IDENTITY_AUTHORITY_HOST: this.#metadata.url,
    };
  }

  /** The user that a token stands for. Throws where AKS would refuse it: it is unknown, or has expired. */
  verify(token: string, now = Date.now()): string {
    const expiresAt = this.#tokens.get(token);
    if (expiresAt === undefined || expiresAt <= now) {
      throw new Error('invalid token');
    }
    return objectId;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#authority[Symbol.asyncDispose](), this.#metadata[Symbol.asyncDispose]()]);
  }

  async #authorize(request: IncomingMessage, response: Parameters<typeof json>[0]): Promise<void> {
    const body = (await request.toArray()).map(String).join('');
    const path = request.url ?? '';
    const base = `${this.#authority.url}/${tenantId}`;
    if (path.includes('/.well-known/openid-configuration')) {
      json(response, 200, {
        issuer: `${base}/v2.0`,
        authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
        jwks_uri: `${base}/discovery/v2.0/keys`,
      });
    } else if (path.startsWith(`/${tenantId}/oauth2/v2.0/token`)) {
      const parameters = new URLSearchParams(body);
      const proof = parameters.get('client_assertion') ?? parameters.get('client_secret');
      this.#issue(parameters, proof === this.podToken, response);
    } else {
      json(response, 404, { error: 'not_found' });
    }
  }

  #issue(parameters: URLSearchParams, good: boolean, response: Parameters<typeof json>[0]): void {
    this.requests.push(parameters);
    const refusal = this.refuseWith ?? (good ? undefined : 700213);
    if (refusal !== undefined) {
      json(response, 400, {
        error: 'invalid_client',
        error_description: `AADSTS${refusal}: CANARY`,
        error_codes: [refusal],
      });
      return;
    }
    const expiresAt = Math.floor(Date.now() / 1000) + this.lifetime;
    const token = [
      { alg: 'RS256' },
      {
        aud: aksServerId,
        oid: objectId,
        appid: clientId,
        exp: expiresAt,
        jti: randomBytes(8).toString('hex'),
      },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .concat('signature')
      .join('.');
    this.#tokens.set(token, expiresAt * 1000);
    json(response, 200, {
      access_token: token,
      token_type: 'Bearer',
      expires_in: this.lifetime,
      expires_on: expiresAt,
      resource: aksServerId,
    });
  }
}

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { json, type LocalServer, serve } from '../unit/shared/kube/local-server.ts';
import { type AccessKey, verifyEksToken } from './signature.ts';

/** Where a Pod has its AWS credentials from. */
export type AwsSource = 'irsa' | 'pod-identity' | 'imds';

const account = '111122223333';
export const podRole = `arn:aws:iam::${account}:role/context-syncer`;

/** STS, the Pod Identity agent and the instance metadata service on 127.0.0.1, and what EKS does with a token. */
export class FakeAws implements AsyncDisposable {
  readonly #server: LocalServer;
  readonly #keys = new Map<string, AccessKey>();
  /** The web identity token, or the Pod Identity token, that is good. */
  readonly podToken = randomBytes(12).toString('hex');
  /** What was asked for, in order: actions of STS, `pod-identity`, `imds`. */
  readonly calls: string[] = [];
  /** Seconds that credentials live. */
  lifetime = 3600;
  /** The error code with which STS refuses all that comes. */
  refuseWith: string | undefined;

  private constructor(server: LocalServer) {
    this.#server = server;
  }

  static async start(): Promise<FakeAws> {
    const server = await serve((_request, response) => response.end());
    const fake = new FakeAws(server);
    server.respond = (request, response) => {
      fake.#respond(request, response).catch(() => response.writeHead(500).end());
    };
    return fake;
  }

  /** Variables of a Pod with credentials of this kind. `tokenFile` holds `podToken`. */
  environment(source: AwsSource, tokenFile: string): Record<string, string> {
    const { url } = this.#server;
    const common = { AWS_ENDPOINT_URL_STS: url, AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
    switch (source) {
      case 'irsa':
        return { ...common, AWS_ROLE_ARN: podRole, AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile };
      case 'pod-identity':
        return {
          ...common,
          AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/credentials`,
          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
        };
      case 'imds':
        return common;
    }
  }

  /** The ARN of the role that a token stands for. Throws where EKS would refuse it. */
  verify(token: string, clusterId: string, now = Date.now()): string {
    return verifyEksToken(token, clusterId, this.#keys, now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  #newKey(identity: string): Record<'AccessKeyId' | 'SecretAccessKey' | 'Token' | 'Expiration', string> {
    const id = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
    const secret = randomBytes(30).toString('base64');
    const sessionToken = randomBytes(60).toString('base64');
    this.#keys.set(id, { secret, sessionToken, identity });
    const Expiration = new Date(Date.now() + this.lifetime * 1000).toISOString();
    return { AccessKeyId: id, SecretAccessKey: secret, Token: sessionToken, Expiration };
  }

  async #respond(request: IncomingMessage, response: Parameters<typeof json>[0]): Promise<void> {
    const body = (await request.toArray()).map(String).join('');
    const path = request.url ?? '';
    if (path === '/v1/credentials') {
      this.calls.push('pod-identity');
      const refused = request.headers.authorization !== this.podToken || this.refuseWith !== undefined;
      json(
        response,
        refused ? 400 : 200,
        refused ? { Code: this.refuseWith ?? 'AccessDeniedException' } : this.#newKey(podRole),
      );
    } else if (path === '/latest/api/token') {
      response.end('imds-token');
    } else if (path === '/latest/meta-data/iam/security-credentials/') {
      response.end('context-syncer');
    } else if (path.startsWith('/latest/meta-data/iam/security-credentials/')) {
      this.calls.push('imds');
      json(response, 200, { Code: 'Success', ...this.#newKey(podRole) });
    } else {
      this.#sts(new URLSearchParams(body), response);
    }
  }

  #sts(parameters: URLSearchParams, response: Parameters<typeof json>[0]): void {
    const action = parameters.get('Action') ?? '';
    this.calls.push(action);
    const badToken =
      action === 'AssumeRoleWithWebIdentity' && parameters.get('WebIdentityToken') !== this.podToken;
    const refusal = this.refuseWith ?? (badToken ? 'InvalidIdentityToken' : undefined);
    if (refusal !== undefined) {
      response
        .writeHead(403, { 'content-type': 'text/xml' })
        .end(
          `<ErrorResponse><Error><Code>${refusal}</Code><Message>CANARY</Message></Error></ErrorResponse>`,
        );
      return;
    }
    const role = parameters.get('RoleArn') ?? '';
    const { AccessKeyId, SecretAccessKey, Token, Expiration } = this.#newKey(role);
    response
      .writeHead(200, { 'content-type': 'text/xml' })
      .end(
        `<${action}Response><${action}Result><Credentials><AccessKeyId>${AccessKeyId}</AccessKeyId>` +
          `<SecretAccessKey>${SecretAccessKey}</SecretAccessKey><SessionToken>${Token}</SessionToken>` +
          `<Expiration>${Expiration}</Expiration></Credentials><AssumedRoleUser>` +
          `<Arn>arn:aws:sts::${account}:assumed-role/x/y</Arn><AssumedRoleId>A:y</AssumedRoleId></AssumedRoleUser>` +
          `</${action}Result></${action}Response>`,
      );
  }
}

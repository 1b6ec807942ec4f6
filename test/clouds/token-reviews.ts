import type { IncomingMessage } from 'node:http';
import { trustedJson } from '../sandbox/json.ts';
import { json, type LocalServer, serve } from '../unit/shared/kube/local-server.ts';

/** What a cloud does with a token: yields the user, or throws. */
export type VerifyToken = (token: string) => string;

interface TokenReview {
  readonly spec: { readonly token: string };
}

/** A webhook token authenticator: what a managed cluster's API server asks about tokens. */
export class TokenReviews implements AsyncDisposable {
  readonly #server: LocalServer;
  /** The first that does not throw says who it is. */
  readonly #verifiers: readonly VerifyToken[];
  /** Users that are nobody here, although their token is good: they have no access to the cluster. */
  readonly strangers = new Set<string>();

  private constructor(server: LocalServer, verifiers: readonly VerifyToken[]) {
    this.#server = server;
    this.#verifiers = verifiers;
  }

  static async start(verifiers: readonly VerifyToken[]): Promise<TokenReviews> {
    const server = await serve((_request, response) => response.end());
    const reviews = new TokenReviews(server, verifiers);
    server.respond = (request, response) => {
      reviews.#respond(request, response).catch(() => response.writeHead(500).end());
    };
    return reviews;
  }

  get url(): string {
    return this.#server.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  async #respond(request: IncomingMessage, response: Parameters<typeof json>[0]): Promise<void> {
    const text = (await request.toArray()).map(String).join('');
    const username = this.#userOf(trustedJson<TokenReview>(text).spec.token);
    json(response, 200, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      status: username === undefined ? { authenticated: false } : { authenticated: true, user: { username } },
    });
  }

  #userOf(token: string): string | undefined {
    for (const verify of this.#verifiers) {
      try {
        const user = verify(token);
        return this.strangers.has(user) ? undefined : user;
      } catch {
        // Another cloud's.
      }
    }
    return undefined;
  }
}

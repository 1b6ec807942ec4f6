import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { catalogConfigMapName, catalogKey, formatCatalog } from '../../../shared/catalog/document.ts';

/** Answers what the webhook reads, a catalog of so many contexts among it, and keeps its watches open. */
export class FakeApiServer implements Disposable {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async listen(contexts: number): Promise<FakeApiServer> {
    const catalog = catalogOf(contexts);
    const server = createServer(({ url = '' }, response) => {
      response.setHeader('Content-Type', 'application/json');
      if (url.includes('watch=')) {
        response.flushHeaders();
      } else {
        const items = url.includes('/configmaps') ? [catalog] : [];
        response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items }));
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    return new FakeApiServer(server, `http://127.0.0.1:${port}`);
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function catalogOf(contexts: number): unknown {
  const entries = Array.from({ length: contexts }, (_, index) => {
    const name = `production-${index}`;
    const cluster = `uid-${index}`;
    return [name, { name, cluster, identified: true, settling: false, isSource: false }] as const;
  });
  return {
    metadata: { name: catalogConfigMapName, namespace: 'context-syncer', resourceVersion: '1' },
    data: { [catalogKey]: formatCatalog({ contexts: new Map(entries) }) },
  };
}

/** The process of ClusterProxy: answers its questions over IPC and ends with it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type {
  ClusterProxyAnswer,
  ClusterProxyConfig,
  ClusterProxyRequest,
} from './cluster-proxy-protocol.ts';
import { ProxyServer } from './cluster-proxy-server.ts';

let proxy: ProxyServer | undefined;

process.once('disconnect', () => process.exit(0));
process.on('message', (message) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by cluster-proxy.ts
  void reply(message as ClusterProxyRequest);
});

async function reply(request: ClusterProxyRequest): Promise<void> {
  const { id } = request;
  if (request.do === 'start') {
    process.send?.({ id, port: await start(request.config) } satisfies ClusterProxyAnswer);
  } else if (request.do === 'set') {
    proxy?.set(request.clusters, request);
    process.send?.({ id } satisfies ClusterProxyAnswer);
  } else {
    process.send?.({ id, counts: proxy?.counts() ?? [] } satisfies ClusterProxyAnswer);
  }
}

async function start(config: ClusterProxyConfig): Promise<number> {
  const started = new ProxyServer(config);
  proxy = started;
  const server: Server = createServer(
    { cert: config.certPem, key: config.keyPem, keepAliveTimeout: 120_000, requestTimeout: 0 },
    (request, response) => started.handle(request, response),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('the cluster proxy listens on no port');
  }
  return address.port;
}

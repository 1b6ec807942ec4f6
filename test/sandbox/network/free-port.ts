import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that operating systems give to outgoing connections (Linux from 32768, others from 49152):
 * a port up there could be taken by a client's connection while its server is down for a restart, even by a
 * connection to that very port.
 */
const lowest = 20_000;
const highest = 32_767;
const attempts = 200;

/** A port of 127.0.0.1 that nobody listens on. It is not reserved: whoever uses it must cope with losing it. */
export async function freePort(random: () => number = Math.random): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = lowest + Math.floor(random() * (highest - lowest + 1));
    if (await isFree(port)) {
      return port;
    }
  }
  throw new Error(`no free port on 127.0.0.1 between ${lowest} and ${highest} in ${attempts} attempts`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host: '127.0.0.1', port, exclusive: true });
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { connect } from 'node:tls';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Ca, issueServingCertificate, makeCa } from '../../../certs/issue.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import { systemClock } from '../../../shared/clock.ts';
import { quickKeys } from './quick-keys.ts';

// TLS refuses keys as short as those of other tests.
const material = quickKeys(5, 2048);
const now = systemClock().now();
const names = ['hook.context-syncer.svc', '127.0.0.1', '::1'];
let old: Ca;
let next: Ca;

beforeAll(async () => {
  [old, next] = await Promise.all([makeCa(policy, now, material), makeCa(policy, now, material)]);
});

/** A TLS server with a certificate of this CA. */
async function serve(ca: Ca): Promise<{ server: Server; port: number }> {
  const leaf = await issueServingCertificate({ ca, names, policy, now }, material);
  const server = createServer({ cert: leaf.certPem, key: leaf.keyPem });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return { server, port: address.port };
}

/** `trusted`, or the code with which OpenSSL refuses. */
async function handshake(port: number, ca: string, servername = names[0]): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ca, servername });
  try {
    await once(socket, 'secureConnect');
    return 'trusted';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  } finally {
    socket.destroy();
  }
}

test('while both CAs are in the bundle, certificates of either are trusted, in any order', async () => {
  const servers = [await serve(old), await serve(next)];
  for (const bundle of [old.certPem + next.certPem, next.certPem + old.certPem]) {
    for (const { port } of servers) expect(await handshake(port, bundle)).toBe('trusted');
  }
});

test('a certificate of another CA is refused, and so is a name that it does not carry', async () => {
  const { port } = await serve(next);
  expect(await handshake(port, old.certPem)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  expect(await handshake(port, next.certPem, 'other.example')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
});

test('the certificate of a running server is swapped without a refused handshake', async () => {
  const { server, port } = await serve(old);
  const both = old.certPem + next.certPem;
  const results: string[] = [];
  for (let round = 0; round < 8; round += 1) {
    const authority = round % 2 === 0 ? next : old;
    const { certPem, keyPem } = await issueServingCertificate(
      { ca: authority, names, policy, now },
      material,
    );
    const before = handshake(port, both);
    server.setSecureContext({ cert: certPem, key: keyPem });
    results.push(await before, await handshake(port, both), await handshake(port, authority.certPem));
  }
  expect(new Set(results)).toEqual(new Set(['trusted']));
});

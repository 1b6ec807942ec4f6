import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** Where keys, serials and names come from, so that tests can do without waiting for primes. */
export interface KeyMaterial {
  /** Unpredictable bytes, as many as asked for. */
  random(bytes: number): Uint8Array;
  /** A fresh RSA private key, PKCS#8 PEM. */
  rsaKey(): Promise<string>;
}

const generate = promisify(generateKeyPair);
/** What every TLS stack accepts until 2030 and beyond (NIST SP 800-57); longer keys make each handshake dearer. */
const rsaBits = 2048;

/** The real source. Keys are made by OpenSSL off the event loop: node-forge would block it for 100 ms and more. */
export const systemKeyMaterial: KeyMaterial = {
  random: (bytes) => randomBytes(bytes),
  async rsaKey() {
    const { privateKey } = await generate('rsa', { modulusLength: rsaBits });
    return privateKey.export({ type: 'pkcs8', format: 'pem' });
  },
};

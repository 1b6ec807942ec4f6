import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyMaterial } from '../../../certs/key-material.ts';

/**
 * Keys from a small store, shorter than real ones, so that thousands of certificates cost little. They repeat: what
 * tells authorities apart is their name then, as it would be for a key that was used twice.
 */
export function quickKeys(count = 6, bits = 1024): KeyMaterial & { readonly made: () => number } {
  const pool = Array.from({ length: count }, () =>
    generateKeyPairSync('rsa', { modulusLength: bits }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
  let made = 0;
  return {
    random: (bytes) => randomBytes(bytes),
    rsaKey() {
      made += 1;
      return Promise.resolve(pool[made % pool.length] ?? '');
    },
    made: () => made,
  };
}

import { createHmac } from 'node:crypto';
import type { SyncedKindName } from '../../shared/synced-kind.ts';

/** A sealed origin: whatever text, and the seal as its last field. */
const form = /^(.+),"seal":"([\w-]{22})"\}$/s;

/**
 * The text of an origin with a seal (128 bits, base64url), which only the holder of the key can make. The origin records the
 * copy's own place, so that a seal is worth nothing elsewhere.
 */
export function withSeal(key: Buffer, kind: SyncedKindName, origin: string): string {
  const rest = origin.slice(0, -1);
  return `${rest},"seal":"${sealOf(key, kind, rest)}"}`;
}

/** True where the holder of this key wrote the origin. False proves nothing: the key can have been lost. */
export function isSealed(key: Buffer, kind: SyncedKindName, origin: string): boolean {
  const [, rest = '', seal] = form.exec(origin) ?? [];
  return seal !== undefined && seal === sealOf(key, kind, rest);
}

/** Of the text, not of known fields, so that versions of this program can be mixed. */
function sealOf(key: Buffer, kind: SyncedKindName, rest: string): string {
  // Contents are hashed with the same key, and none of them begins with these words.
  return createHmac('sha256', key)
    .update(`seal of ${kind} ${rest}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url');
}

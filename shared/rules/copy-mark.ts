import { isRecord } from '../is-record.ts';
import type { Keys } from '../keys.ts';

/**
 * True when an object is somebody's copy: it carries an origin annotation. One that names the object's own uid marks a
 * source, as Kubed did.
 */
export function isCopy(
  metadata: {
    readonly uid?: string | null | undefined;
    readonly annotations?: Readonly<Record<string, string>> | null | undefined;
  },
  keys: Keys,
): boolean {
  const annotations = metadata.annotations ?? {};
  const origin = Object.hasOwn(annotations, keys.origin) ? annotations[keys.origin] : undefined;
  return origin !== undefined && (!metadata.uid || uidIn(origin) !== metadata.uid);
}

function uidIn(origin: string): unknown {
  try {
    const parsed: unknown = JSON.parse(origin);
    return isRecord(parsed) ? parsed['uid'] : undefined;
  } catch {
    return undefined;
  }
}

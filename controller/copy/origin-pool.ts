import type { RecordedOrigin } from './copy-record.ts';

/** Beyond this many, all are forgotten and shared anew: what is in use keeps its objects. */
const limit = 200_000;

/**
 * Lets copies share what they have in common: a source with copies in a hundred clusters has one origin in memory, not a
 * hundred.
 */
export class OriginPool {
  readonly #bySourceUid = new Map<string, RecordedOrigin>();
  readonly #names = new Map<string, string>();

  /** An origin that is equal to the given one, without what is not remembered. */
  share({ namespace, name, uid, resourceVersion, stamp }: RecordedOrigin): RecordedOrigin {
    const known = this.#bySourceUid.get(uid);
    if (
      known?.namespace === namespace &&
      known.name === name &&
      known.resourceVersion === resourceVersion &&
      known.stamp === stamp
    ) {
      return known;
    }
    const origin = { namespace, name, uid, resourceVersion, ...(stamp === undefined ? {} : { stamp }) };
    if (this.#bySourceUid.size >= limit) {
      this.#bySourceUid.clear();
    }
    this.#bySourceUid.set(uid, origin);
    return origin;
  }

  /** The same text, in memory once. */
  name(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) {
      return known;
    }
    if (this.#names.size >= limit) {
      this.#names.clear();
    }
    this.#names.set(text, text);
    return text;
  }
}

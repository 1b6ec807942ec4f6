import { createHash } from 'node:crypto';

/** The longest label value that Kubernetes accepts, in characters. */
const maxLabelValue = 63;
const hashLength = 10;

/**
 * A label value for `text`: itself while it fits, else its beginning and a hash of the whole, so that two long
 * names that begin alike stay apart. `text` must consist of characters that a label value may hold.
 */
export function toLabelValue(text: string): string {
  if (text.length <= maxLabelValue) {
    return text;
  }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, hashLength);
  return `${text.slice(0, maxLabelValue - hashLength - 1)}-${hash}`;
}

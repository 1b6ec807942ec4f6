/**
 * What a setting's value can be. Values arrive as text, from a flag or from a YAML file, so that both are read alike.
 */
export interface ValueType<T> {
  /**
   * What a YAML file has for it; a `boolean` setting may also be given as a bare flag. A `list` reaches `parse` as JSON.
   */
  readonly json: 'string' | 'boolean' | 'list';
  /** Completes the sentence "it must be …". */
  readonly allowed: string;
  /** For a closed list of values. */
  readonly choices?: readonly string[];
  /** Several values, separated by commas; the flag can be repeated. */
  readonly list?: true;
  /** The value that `text` means, wrapped so that `undefined` can be a value; undefined when the text is not allowed. */
  parse(text: string): { readonly value: T } | undefined;
  /** For a list that is not allowed: one clause that says what is wrong with which part. */
  flaw?(text: string): string | undefined;
}

/** Text that matches `pattern` as a whole and is no longer than `maxLength` characters. */
export function text(pattern: RegExp, maxLength: number, allowed: string): ValueType<string> {
  return {
    json: 'string',
    allowed,
    parse: (given) => (given.length <= maxLength && pattern.test(given) ? { value: given } : undefined),
  };
}

/** One of a few words. */
export function choice<const T extends string>(...choices: readonly T[]): ValueType<T> {
  return {
    json: 'string',
    allowed: orList(choices),
    choices,
    parse(given) {
      const value = choices.find((candidate) => candidate === given);
      return value === undefined ? undefined : { value };
    },
  };
}

/** `true` or `false`. */
export const trueOrFalse: ValueType<boolean> = {
  json: 'boolean',
  allowed: 'true or false',
  parse: (given) => (given === 'true' || given === 'false' ? { value: given === 'true' } : undefined),
};

/** A whole number of a range, in digits. */
export function wholeNumber(from: number, to: number): ValueType<number> {
  return {
    json: 'string',
    allowed: `a whole number from ${from} to ${to}`,
    parse(given) {
      const value = /^[0-9]{1,9}$/.test(given) ? Number(given) : Number.NaN;
      return value >= from && value <= to ? { value } : undefined;
    },
  };
}

/** The path of a file. Whether it can be read is checked when it is read. */
export const filePath: ValueType<string> = text(/^[^\0]+$/, 4096, 'the path of a file');

// Lengths and characters are those of Kubernetes: RFC 1123 labels and subdomains, and label values.
const dnsLabel = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';

/** A namespace's name. */
export const namespaceName: ValueType<string> = text(
  new RegExp(`^${dnsLabel}$`),
  63,
  "a namespace: 1 to 63 lower-case letters, digits or '-', beginning and ending with a letter or digit",
);

/** The uid of a namespace; Kubernetes gives UUIDs. */
export const namespaceUid: ValueType<string> = text(
  /^[0-9A-Za-z][-0-9A-Za-z]*$/,
  63,
  'the uid of a namespace, such as 3a307a9d-5ee4-4cc7-a8cb-5c1f1c1d36a1',
);

/** A DNS subdomain, as in names of objects and prefixes of annotations. */
export const dnsSubdomain: ValueType<string> = text(
  new RegExp(`^${dnsLabel}(?:\\.${dnsLabel})*$`),
  253,
  "a DNS subdomain: 1 to 253 lower-case letters, digits, '-' or '.', such as example.com",
);

/** The value of a label that is not empty. */
export const labelValue: ValueType<string> = text(
  /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/,
  63,
  "a label value: 1 to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit",
);

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

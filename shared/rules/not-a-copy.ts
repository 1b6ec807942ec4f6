import type { Rule } from './subject.ts';

/** A copy is not a source: chains would turn into loops as soon as two clusters name each other. */
export const notACopy: Rule = ({ isCopy }, { keys }) =>
  isCopy
    ? [
        {
          reason: 'CopyAsSource',
          stops: 'object',
          message: `The object carries ${keys.origin}, so it is itself a copy and cannot be a source; annotate the original, or remove ${keys.origin}.`,
          contexts: [],
        },
      ]
    : [];

import { maxListEntries } from '../sync-contexts.ts';
import type { Rule } from './subject.ts';

/** The list must name something, and every entry of it must be a name. */
export const listForm: Rule = ({ list }, { keys }) => {
  if (list.isTooLong) {
    return [
      {
        reason: 'ListTooLong',
        stops: 'object',
        message: `The annotation ${keys.syncContexts} has more than ${maxListEntries} entries; shorten it.`,
        contexts: [],
      },
    ];
  }
  if (list.names.length === 0) {
    return [
      {
        reason: 'EmptyList',
        stops: 'object',
        message: `The annotation ${keys.syncContexts} names no context; name at least one, or remove the annotation to remove the copies.`,
        contexts: [],
      },
    ];
  }
  if (list.hasEmptyName) {
    return [
      {
        reason: 'EmptyName',
        stops: 'nothing',
        message: `The annotation ${keys.syncContexts} has an empty entry between its commas; remove it.`,
        contexts: [],
      },
    ];
  }
  return [];
};

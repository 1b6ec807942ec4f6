import type { ValueType } from '../../shared/settings/value-type.ts';

/**
 * `NAME=/absolute/path`, several separated by commas: what a kubeconfig calls a plugin, and the program that is run for
 * it. A name is the `command` of an `exec` entry letter by letter.
 */
export const allowedPlugins: ValueType<ReadonlyMap<string, string>> = {
  json: 'string',
  list: true,
  allowed: 'NAME=/absolute/path, each name once, several separated by commas',
  parse(given) {
    const plugins = new Map<string, string>();
    for (const item of given.split(',')) {
      const parts = /^(?<name>[^=\0]{1,255})=(?<path>\/[^\0]{1,4095})$/.exec(item.trim())?.groups;
      const { name, path } = parts ?? {};
      if (name === undefined || path === undefined || plugins.has(name)) {
        return undefined;
      }
      plugins.set(name, path);
    }
    return { value: plugins };
  },
};

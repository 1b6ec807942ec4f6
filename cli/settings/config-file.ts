import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLSeq,
} from 'yaml';
import { type GivenSetting, type GivenValue, quoted } from './given-setting.ts';

export interface ConfigFile {
  /** Undefined when the file is not a YAML mapping, so that nothing is known about what it sets. */
  readonly settings: readonly GivenSetting[] | undefined;
  readonly problems: readonly string[];
}

/**
 * Reads settings from YAML. Scalars are taken as they are written (`1.10` stays `1.10`), because a setting is the same
 * text in a file as on the command line. Parse errors are reported by place and kind, without the file's content: the
 * path may name a Secret by mistake.
 *
 * @param path what the user gave as `--config`, for messages
 */
export function parseConfigFile(path: string, content: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const kind = error.code.toLowerCase().replaceAll('_', ' ');
    return failed(path, `valid YAML: line ${line}, column ${col} is wrong (${kind})`);
  }
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) {
    return { settings: [], problems: [] };
  }
  if (!isMap(root)) {
    return failed(path, 'a YAML mapping, with lines of the form "setting: value"');
  }
  const settings = new Map<string, GivenSetting>();
  const repeated = new Set<string>();
  for (const pair of root.items) {
    const key = isScalar(pair.key) ? textOf(pair.key) : String(pair.key);
    if (settings.has(key)) {
      repeated.add(key);
    }
    const node = isAlias(pair.value) ? pair.value.resolve(document) : pair.value;
    settings.set(key, { key, value: givenValue(node, document), file: path });
  }
  return {
    settings: [...settings.values()],
    problems: [...repeated].map(
      (key) => `${key} in ${path} is given more than once, but must be given once.`,
    ),
  };
}

function failed(path: string, must: string): ConfigFile {
  return { settings: undefined, problems: [`--config is ${quoted(path)}, but must be ${must}.`] };
}

function givenValue(node: Node | null | undefined, document: Document): GivenValue {
  if (isMap(node)) {
    return 'a mapping';
  }
  if (isSeq(node)) {
    return { text: jsonOf(node, document), isList: true };
  }
  return isScalar(node) && node.value !== null ? { text: textOf(node) } : 'nothing';
}

/** The list as JSON; empty text, which is none, where aliases multiply or lead in a circle. */
function jsonOf(list: YAMLSeq, document: Document): string {
  try {
    return JSON.stringify(list.toJS(document));
  } catch {
    return '';
  }
}

/** The source of numbers, because 1.10 is a name here, not 1.1; the meaning of all else, so that `True` is `true`. */
function textOf(scalar: { readonly value: unknown; readonly source?: string }): string {
  return typeof scalar.value === 'number' ? (scalar.source ?? String(scalar.value)) : String(scalar.value);
}

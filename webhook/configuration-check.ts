import { isRecord } from '../shared/is-record.ts';
import type { Keys } from '../shared/keys.ts';

/** What a look at a ValidatingWebhookConfiguration shows, in sentences. */
export interface ConfigurationFindings {
  /** What is wrong, or looks wrong: conditions are CEL, which is not evaluated here. */
  readonly problems: readonly string[];
  /** Set when it certainly sends objects of another prefix and none of ours: then the webhook cannot do its work. */
  readonly otherPrefix: string | undefined;
}

/**
 * Looks whether the match conditions name the annotation of the prefix in use. They hold it as text, and the API server sends
 * the wrong objects, or none, when it is another. An operator may write them in other ways, so only conditions
 * that name the annotation of another prefix, and nothing of ours, are certainly wrong. Pure.
 */
export function findingsOf(name: string, configuration: unknown, keys: Keys): ConfigurationFindings {
  const webhooks = listOf(configuration, 'webhooks');
  if (webhooks.length === 0) {
    const problem = `ValidatingWebhookConfiguration "${name}" has no webhooks, so nothing is sent here.`;
    return { problems: [problem], otherPrefix: undefined };
  }
  const found = webhooks.flatMap((webhook) => findingOf(name, webhook, keys) ?? []);
  const isCertain = found.length === webhooks.length && found.every(({ certain }) => certain);
  return {
    problems: found.map(({ problem }) => problem),
    otherPrefix: isCertain ? found[0]?.problem : undefined,
  };
}

function findingOf(
  name: string,
  webhook: unknown,
  keys: Keys,
): { readonly problem: string; readonly certain: boolean } | undefined {
  const literals = listOf(webhook, 'matchConditions').flatMap(literalsOf);
  // Without conditions everything is sent, which is slow and blocks everything in an outage, but misses nothing.
  if (listOf(webhook, 'matchConditions').length === 0 || literals.includes(keys.syncContexts)) {
    return undefined;
  }
  const where = `ValidatingWebhookConfiguration "${name}": the match conditions of webhook ${quotedName(webhook)}`;
  const others = [...new Set(literals.filter((literal) => /^[^/\s]+\/sync-contexts$/.test(literal)))];
  if (others.length === 0 || literals.some((literal) => literal.startsWith(keys.prefix))) {
    return {
      problem: `${where} do not name ${keys.syncContexts}; check that they let objects pass whose annotation is new or changed.`,
      certain: false,
    };
  }
  return {
    problem: `${where} name ${others.join(', ')}, but must name ${keys.syncContexts}; correct them, or --annotation-prefix.`,
    certain: true,
  };
}

/** The string literals of a condition's CEL expression. */
function literalsOf(condition: unknown): readonly string[] {
  const expression = isRecord(condition) ? condition['expression'] : undefined;
  return typeof expression === 'string'
    ? [...expression.matchAll(/(["'])(?<text>[^"']*)\1/g)].flatMap(({ groups }) => groups?.['text'] ?? [])
    : [];
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list: unknown = isRecord(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function quotedName(webhook: unknown): string {
  return JSON.stringify(isRecord(webhook) && typeof webhook['name'] === 'string' ? webhook['name'] : '');
}

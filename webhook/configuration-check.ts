import { isRecord } from '../shared/is-record.ts';
import type { Keys } from '../shared/keys.ts';

/**
 * What is wrong with a ValidatingWebhookConfiguration, as sentences: its match conditions must name the annotation of
 * the prefix in use, else the API server sends the wrong objects, and the webhook refuses nothing. Pure.
 */
export function configurationProblems(name: string, configuration: unknown, keys: Keys): readonly string[] {
  const webhooks = listOf(configuration, 'webhooks');
  if (webhooks.length === 0) {
    return [`ValidatingWebhookConfiguration "${name}" has no webhooks, so nothing is sent here.`];
  }
  return webhooks.flatMap((webhook) => {
    const expressions = listOf(webhook, 'matchConditions').flatMap((condition) =>
      isRecord(condition) && typeof condition['expression'] === 'string' ? [condition['expression']] : [],
    );
    const named = namedAnnotations(expressions);
    // Without conditions everything is sent, which is slow and blocks everything in an outage, but misses nothing.
    if (expressions.length === 0 || named.includes(keys.syncContexts)) {
      return [];
    }
    const instead = named.length === 0 ? 'no such annotation' : named.join(', ');
    return [
      `ValidatingWebhookConfiguration "${name}": the match conditions of webhook ${quotedName(webhook)} name ${instead}, but must name ${keys.syncContexts}; correct them, or --annotation-prefix.`,
    ];
  });
}

/** String literals of CEL that end as our annotation does. */
function namedAnnotations(expressions: readonly string[]): readonly string[] {
  const literals = expressions.flatMap((expression) => [
    ...expression.matchAll(/(["'])(?<key>[^"'\s]+\/sync-contexts)\1/g),
  ]);
  return [...new Set(literals.flatMap(({ groups }) => groups?.['key'] ?? []))];
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list: unknown = isRecord(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function quotedName(webhook: unknown): string {
  return JSON.stringify(isRecord(webhook) && typeof webhook['name'] === 'string' ? webhook['name'] : '');
}

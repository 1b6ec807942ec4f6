import type { CatalogContext } from '../../shared/catalog/catalog.ts';
import { judge } from '../../shared/rules/judge.ts';
import type { Circumstances } from '../../shared/rules/subject.ts';
import type { Effect, Violation } from '../../shared/rules/violation.ts';
import { parseContextList } from '../../shared/sync-contexts.ts';
import type { SourceRecord } from '../source/source-record.ts';
import type { Claim } from './claim.ts';

/** What a source's annotation comes to under the contexts of the moment. */
export interface Resolution {
  readonly source: SourceRecord;
  /** The names of the list, valid or not. */
  readonly names: readonly string[];
  readonly violations: readonly Violation[];
  readonly claims: readonly Claim[];
  /** Contexts of the list that nothing can be sent to, and why; the others go on. */
  readonly unavailable: readonly { readonly context: string; readonly problem: string }[];
  /**
   * True only when the list is free of violations and every cluster in it has said who it is: only then does an
   * object's absence from the claims mean that nobody asks for it.
   */
  readonly conclusive: boolean;
  /** True while a context of the list is being reached for the first time: nothing is decided before that. */
  readonly settling: boolean;
}

/** Resolves a source's annotation. Pure: the same record and catalog always give the same claims. */
export function resolve(source: SourceRecord, circumstances: Circumstances, type?: string): Resolution {
  const list = parseContextList(source.syncContexts);
  const subject = { ...source, list, type };
  const violations = judge(subject, circumstances);
  const contexts = list.names.flatMap((name) => circumstances.catalog.contexts.get(name) ?? []);
  const settling = contexts.some((context) => context.settling);
  const served = settling || violations.some(({ stops }) => stops === 'object') ? [] : contexts;
  const refused = namedBy(violations, 'contexts');
  const ambiguous = namedBy(violations, 'creation');
  const usable = served.filter((context) => !refused.has(context.name));
  return {
    source,
    names: list.names,
    violations,
    claims: usable
      .filter((context) => context.identified)
      .map((context) => claimOf(source, context, ambiguous.has(context.name))),
    unavailable: usable.flatMap(({ name, problem }) =>
      problem === undefined ? [] : [{ context: name, problem }],
    ),
    conclusive: !settling && violations.length === 0 && contexts.every((context) => context.identified),
    settling,
  };
}

/** The contexts that violations of this effect name. */
function namedBy(violations: readonly Violation[], effect: Effect): ReadonlySet<string> {
  return new Set(violations.filter(({ stops }) => stops === effect).flatMap(({ contexts }) => contexts));
}

function claimOf(source: SourceRecord, context: CatalogContext, updateOnly: boolean): Claim {
  return {
    source,
    context: context.name,
    cluster: context.cluster,
    target: { kind: source.kind, namespace: context.namespace ?? source.namespace, name: source.name },
    updateOnly,
  };
}

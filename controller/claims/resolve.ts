import type { CatalogContext } from '../../shared/catalog/catalog.ts';
import { judge } from '../../shared/rules/judge.ts';
import type { Circumstances } from '../../shared/rules/subject.ts';
import type { Effect, Violation } from '../../shared/rules/violation.ts';
import { parseContextList } from '../../shared/sync-contexts.ts';
import type { SourceRecord } from '../source/source-record.ts';
import type { Ask, Creation } from './claim.ts';

/** What an annotation comes to under the contexts of the moment. It is the same for all objects of a namespace that carry it. */
export interface Resolution {
  /** The names of the list, valid or not. */
  readonly names: readonly string[];
  readonly violations: readonly Violation[];
  readonly asks: readonly Ask[];
  /** Contexts of the list whose cluster has not said yet which one it is: nothing is sent there, and the others are served. */
  readonly unidentified: readonly CatalogContext[];
  /** A context of the list is being reached for the first time: too early to say what is wrong. */
  readonly settling: boolean;
}

/** The parts of a source that decide what its list comes to. */
export type ListCarrier = Pick<SourceRecord, 'kind' | 'namespace' | 'isCopy' | 'syncContexts'>;

/** Resolves a source's annotation. Pure: the same list and catalog always give the same asks. */
export function resolve(carrier: ListCarrier, circumstances: Circumstances, type?: string): Resolution {
  const list = parseContextList(carrier.syncContexts);
  const violations = judge({ ...carrier, list, type }, circumstances);
  const contexts = list.names.flatMap((name) => circumstances.catalog.contexts.get(name) ?? []);
  const refused = namedBy(violations, 'contexts');
  const ambiguous = namedBy(violations, 'creation');
  const served = violations.some(({ stops }) => stops === 'object')
    ? []
    : contexts.filter(({ name }) => !refused.has(name));
  const settling = served.some((context) => context.settling);
  const creationBy = (name: string): Creation =>
    ambiguous.has(name) ? 'ambiguous' : settling ? 'settling' : 'allowed';
  return {
    names: list.names,
    violations,
    asks: served
      .filter(({ identified }) => identified)
      .map(({ name, cluster, namespace }) => ({
        context: name,
        cluster,
        namespace,
        creation: creationBy(name),
      })),
    unidentified: served.filter(({ identified }) => !identified),
    settling,
  };
}

/** The contexts that violations of this effect name. */
function namedBy(violations: readonly Violation[], effect: Effect): ReadonlySet<string> {
  return new Set(violations.filter(({ stops }) => stops === effect).flatMap(({ contexts }) => contexts));
}

import { judge } from '../shared/rules/judge.ts';
import type { Circumstances, Subject } from '../shared/rules/subject.ts';
import type { ViolationReason } from '../shared/rules/violation.ts';
import { parseContextList } from '../shared/sync-contexts.ts';
import { warningsOf } from './warnings.ts';

/** What is wrong with a list, and what is worth knowing about it. */
export interface Judgement {
  readonly refusals: readonly { readonly reason: ViolationReason; readonly message: string }[];
  readonly warnings: readonly string[];
}

/** Memory for judgements: a few MiB. */
const maxJudgements = 256;
/** Longer ones are not remembered: anyone who may annotate an object chooses them. */
const maxCharacters = 2_000;

/**
 * Judgements of lists, remembered while the circumstances are the same: a tenant that creates bad objects in a loop, or
 * a rollout that creates a hundred good ones, has the same list judged again and again. The oldest makes room for a new one.
 */
export class Judgements {
  readonly #known = new Map<string, Judgement>();
  #circumstances: Circumstances | undefined;

  /** `value` is the text of the subject's list. */
  of(subject: Omit<Subject, 'list'>, value: string, circumstances: Circumstances): Judgement {
    this.#forgetOthers(circumstances);
    const key =
      value.length > maxCharacters
        ? undefined
        : JSON.stringify([subject.kind, subject.namespace, subject.isCopy, subject.type, value]);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) {
      return known;
    }
    const listed = { ...subject, list: parseContextList(value) };
    const judgement = {
      refusals: judge(listed, circumstances),
      warnings: warningsOf(listed, circumstances.catalog),
    };
    if (key !== undefined && key.length <= maxCharacters) {
      this.#remember(key, judgement);
    }
    return judgement;
  }

  #forgetOthers({ keys, ownNamespace, catalog }: Circumstances): void {
    const last = this.#circumstances;
    if (keys !== last?.keys || ownNamespace !== last.ownNamespace || catalog !== last.catalog) {
      this.#known.clear();
      this.#circumstances = { keys, ownNamespace, catalog };
    }
  }

  #remember(key: string, judgement: Judgement): void {
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= maxJudgements) {
      this.#known.delete(oldest);
    }
    this.#known.set(key, judgement);
  }
}

import type { Clock, Random } from '../../shared/clock.ts';
import { errorFields } from '../../shared/error-fields.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Claim } from '../claims/claim.ts';
import type { Resolution } from '../claims/resolve.ts';
import type { TargetRef } from '../copy/target-ref.ts';
import type { Lane, LaneObserver } from '../lane/lane.ts';
import type { Pass } from '../reconcile/outcome.ts';
import { type SourceKey, type SourceRecord, sourceKey } from '../source/source-record.ts';
import type { ControllerMetrics } from './controller-metrics.ts';
import type { EventReason, ProblemReason, SourceEvents } from './event-reason.ts';
import { HeldDeletions } from './held-deletions.ts';
import { type Problem, problemOf } from './problem.ts';

/** Milliseconds after which the Event of a standing problem is repeated; API servers keep an Event for an hour. */
const repeatMs = 45 * 60_000;

/** A problem of the list as a whole, beside those of its contexts. */
const wholeList = '';

export interface ReporterOptions {
  readonly events: SourceEvents;
  readonly logger: Logger;
  readonly metrics: ControllerMetrics;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether this process serves a target cluster, and so reports its problems. */
  readonly serves: (cluster: string) => boolean;
  /** Whether it is this process that reports problems of lists, which are no cluster's. */
  readonly tellsOfLists: () => boolean;
  /** The source of a key, as it is now. */
  readonly sourceOf: (key: SourceKey) => SourceRecord | undefined;
  /** Whether a claim still holds: a pass can end after the list or the contexts changed. */
  readonly isClaimed: (claim: Claim) => boolean;
}

/**
 * The only place that turns outcomes into Events, metrics and log lines. Events are for problems and their end, not
 * for every copy: an Event a copy would cost a write a copy.
 */
export class Reporter implements LaneObserver {
  readonly #options: ReporterOptions;
  readonly #held: HeldDeletions;
  readonly #problems = new Map<SourceKey, Map<string, Problem>>();

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#held = new HeldDeletions(options);
  }

  /** Observed problems, counted by reason. */
  counts(): ReadonlyMap<ProblemReason, number> {
    const counts = new Map<ProblemReason, number>();
    for (const problems of this.#problems.values()) {
      for (const { reason } of problems.values()) {
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
      }
    }
    return counts;
  }

  taken(lane: Lane, waitedMs: number): void {
    this.#options.metrics.taken(lane, waitedMs);
  }

  retried(lane: Lane): void {
    this.#options.metrics.retried(lane);
  }

  passed(lane: Lane, target: TargetRef, pass: Pass, durationMs: number, repeats: boolean): void {
    this.#options.metrics.passed(lane, pass, durationMs);
    this.#log(lane, target, pass, repeats);
    if (pass.outcome.kind === 'waiting' && pass.outcome.held !== undefined) {
      this.#held.report(target.kind, pass.outcome.held.origin, pass.outcome.held.trip);
    }
    for (const claim of pass.claims) {
      const link = lane.links.find(({ name }) => name === claim.context);
      const problem = problemOf(pass.outcome, claim, {
        unreachable: link?.problem,
        listFailure: lane.listFailure(target),
        winner: pass.winner,
      });
      if (isShadowed(claim, pass)) {
        this.#drop(sourceKey(claim.source), claim.context);
      } else if (problem !== 'unclear') {
        this.#set(claim.source, claim.context, problem, claim);
      }
    }
  }

  /** Reports what is wrong with a source's list, and drops what is no longer in it or for others to report. */
  resolved(source: SourceRecord, { violations, asks, unidentified, settling }: Resolution): void {
    if (settling) {
      return;
    }
    const told = this.#options.tellsOfLists() ? unidentified : [];
    if (this.#options.tellsOfLists()) {
      this.#set(
        source,
        wholeList,
        violations.length === 0
          ? undefined
          : { reason: 'InvalidSyncContexts', message: violations.map(({ message }) => message).join(' ') },
      );
    }
    for (const { name, problem } of told) {
      if (problem !== undefined) {
        this.#set(source, name, unavailableContext(name, problem));
      }
    }
    const known = this.#problems.get(sourceKey(source));
    if (known !== undefined) {
      const served = new Set([
        ...(this.#options.tellsOfLists() ? [wholeList] : []),
        ...asks.filter(({ cluster }) => this.#options.serves(cluster)).map(({ context }) => context),
        ...told.map(({ name }) => name),
      ]);
      for (const context of known.keys()) {
        if (!served.has(context)) {
          this.#drop(sourceKey(source), context);
        }
      }
    }
  }

  /**
   * Repeats the Events of standing problems until the signal aborts: API servers drop Events after an hour, and a
   * problem that lasts is to be seen by `kubectl describe`.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, sourceOf } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(repeatMs * (0.9 + 0.2 * random()), signal);
      for (const [key, problems] of signal.aborted ? [] : this.#problems) {
        const source = sourceOf(key);
        if (source !== undefined) {
          for (const { reason, message } of problems.values()) {
            this.#event(source, 'Warning', reason, message);
          }
        }
      }
    }
  }

  /** The object is no longer a source. */
  forgotten(key: SourceKey): void {
    this.#problems.delete(key);
  }

  /** Without a word: nothing was recovered where nothing is served any more. */
  #drop(key: SourceKey, scope: string): void {
    const known = this.#problems.get(key);
    known?.delete(scope);
    if (known?.size === 0) {
      this.#problems.delete(key);
    }
  }

  /** `claim`: what the problem is of; absent for what the list itself shows. */
  #set(source: SourceRecord, scope: string, problem: Problem | undefined, claim?: Claim): void {
    const key = sourceKey(source);
    if (this.#options.sourceOf(key)?.uid !== source.uid) {
      // A pass that began before the source was gone.
      return;
    }
    const known = this.#problems.get(key);
    const before = known?.get(scope);
    if (before?.reason === problem?.reason && before?.message === problem?.message) {
      return;
    }
    if (claim !== undefined && !(this.#options.isClaimed(claim) && this.#options.serves(claim.cluster))) {
      // A pass that began before its list changed, or before another process took the cluster over.
      return;
    }
    const fields = { kind: source.kind, namespace: source.namespace, name: source.name };
    if (problem === undefined) {
      this.#drop(key, scope);
      this.#event(source, 'Normal', 'Recovered', recoveryMessage(scope));
      this.#options.logger.info('problem of a source ended', {
        ...fields,
        context: scope,
        reason: before?.reason,
      });
      return;
    }
    this.#problems.set(key, (known ?? new Map<string, Problem>()).set(scope, problem));
    this.#event(source, 'Warning', problem.reason, problem.message);
    this.#options.logger.warn('source has a problem', { ...fields, context: scope, reason: problem.reason });
  }

  #event(source: SourceRecord, type: 'Normal' | 'Warning', reason: EventReason, message: string): void {
    const { kind, namespace, name, uid, resourceVersion } = source;
    this.#options.events.record({
      object: { apiVersion: 'v1', kind, namespace, name, uid, resourceVersion },
      type,
      reason,
      message,
    });
  }

  #log(lane: Lane, target: TargetRef, { outcome, winner }: Pass, repeats: boolean): void {
    const fields = { cluster: lane.cluster, ...target, context: winner?.context };
    const { logger } = this.#options;
    switch (outcome.kind) {
      case 'written':
        logger.debug('copy written', { ...fields, action: outcome.action, reason: outcome.reason });
        break;
      case 'failed':
        logger[repeats ? 'debug' : 'warn']('pass over a copy failed', {
          ...fields,
          ...errorFields(outcome.error),
        });
        break;
      case 'waiting':
      case 'left':
      case 'refused':
        break;
    }
  }
}

/** A source's second context of the same cluster has no outcome of its own; its list's Event says what is wrong. */
function isShadowed(claim: Claim, { winner }: Pass): boolean {
  return winner !== undefined && winner.source.uid === claim.source.uid && winner.context !== claim.context;
}

function unavailableContext(context: string, problem: string): Problem {
  return {
    reason: 'ContextUnavailable',
    message: `Context "${context}" cannot be used: ${problem}.`,
  };
}

function recoveryMessage(scope: string): string {
  return scope === wholeList
    ? 'The list of contexts is valid again.'
    : `The copy through context "${scope}" is in sync again.`;
}

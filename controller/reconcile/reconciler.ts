import type { Clock } from '../../shared/clock.ts';
import { ApiError, isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { Circumstances } from '../../shared/rules/subject.ts';
import type { Claims } from '../claims/claims.ts';
import type { ContextLink } from '../contexts/context-link.ts';
import type { CopyRecord } from '../copy/copy-record.ts';
import { type TargetRef, targetKey } from '../copy/target-ref.ts';
import type { DeletionGuard } from '../guard/deletion-guard.ts';
import type { SourceReader } from '../source/source-reader.ts';
import { sourceKey } from '../source/source-record.ts';
import type { CopyIndex } from '../target/copy-index.ts';
import type { Contention } from './contention.ts';
import { type Decision, decide, winnerOf } from './decide.ts';
import type { Facts } from './facts.ts';
import type { Outcome, Pass } from './outcome.ts';
import { releaseOf } from './release.ts';
import type { DeleteDecision, TargetWriter, WriteDecision, WriteResult } from './target-writer.ts';

/** Awaits an answer of the source cluster, for those who have to know that a pass waits for that and not for its target. */
export type AwaitSource = <T>(answer: Promise<T>) => Promise<T>;

/** How often a pass starts over because something else stood there than was thought. */
const maxRounds = 8;

/**
 * Milliseconds after which a proof is made again before it is acted upon: the source can have come back while the pass waited, and
 * another process can have found its copy in sync.
 */
const proofCountsForMs = 15_000;

export interface ReconcilerOptions {
  readonly cluster: string;
  readonly claims: Claims;
  readonly index: CopyIndex;
  readonly sources: SourceReader;
  readonly writer: TargetWriter;
  readonly guard: DeletionGuard;
  readonly contention: Contention;
  readonly circumstances: () => Circumstances;
  /** Links that may be used for an object now, the best first; `context` is the one that asks, if any. */
  readonly linksFor: (target: TargetRef, context: string | undefined) => readonly ContextLink[];
  /** True when a person was seen deleting the source or changing its list. */
  readonly wasWitnessed: (source: string) => boolean;
  readonly versionsTrusted: () => boolean;
  readonly clock: Clock;
}

/**
 * One level-based pass over one target object: gather, decide, act, until nothing is left to do. It starts from what
 * is so now, whatever called for it.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Never rejects: failures are outcomes. */
  async reconcile(target: TargetRef, ofSource: AwaitSource = (answer) => answer): Promise<Pass> {
    const pass = await this.#pass(target, ofSource);
    // A deletion that was released and failed stays released.
    if (pass.outcome.kind !== 'waiting' && pass.outcome.kind !== 'failed') {
      this.#options.guard.settle(targetKey(target));
    }
    return pass;
  }

  async #pass(target: TargetRef, ofSource: AwaitSource): Promise<Pass> {
    const { claims, index, cluster, versionsTrusted, clock } = this.#options;
    let facts: Facts = { target, claims: [], observed: 'unlisted', versionsTrusted: true };
    let foreign: CopyRecord | undefined;
    /** When the proof in `facts` was asked for. */
    let askedAt = 0;
    try {
      for (let round = 0; round < maxRounds; round += 1) {
        const known = index.observed(target);
        facts = {
          ...facts,
          claims: claims.on(cluster, target),
          // A foreign object is not kept in the index; it was seen a moment ago, in this very pass.
          observed: known === 'absent' && foreign !== undefined ? foreign : known,
          versionsTrusted: versionsTrusted(),
          release: clock.monotonic() - askedAt <= proofCountsForMs ? facts.release : undefined,
        };
        const decision = decide(facts);
        if (decision.action === 'gather' && decision.fact === 'release') {
          askedAt = clock.monotonic();
        }
        const step = await this.#step(decision, facts, ofSource);
        if ('outcome' in step) {
          this.#note(decision, facts);
          return passOf(facts, step.outcome);
        }
        ({ foreign } = step);
        facts = { ...facts, ...step.gathered };
      }
      return passOf(facts, { kind: 'failed', error: new ApiError(409, 'Conflict') });
    } catch (error) {
      return passOf(facts, { kind: 'failed', error });
    }
  }

  /** Content that was compared and found equal need not be read again while neither side changes. */
  #note({ action }: Decision, { target, observed, source }: Facts): void {
    if (action === 'leave' && typeof observed !== 'string' && source?.reading.state === 'read') {
      const { stamp, resourceVersion } = source.reading.source;
      if (observed.stamp === stamp) {
        this.#options.index.noteInSync(target, observed, resourceVersion);
      }
    }
  }

  #step(decision: Decision, facts: Facts, ofSource: AwaitSource): Promise<Step> {
    switch (decision.action) {
      case 'gather':
        return this.#gather(decision, facts, ofSource);
      case 'leave':
        if (decision.reason === 'Absent') {
          this.#options.contention.forget(targetKey(facts.target));
        }
        return settled({ kind: 'left', reason: decision.reason });
      case 'refuse':
        return settled({ kind: 'refused', reason: decision.reason });
      case 'wait':
        return settled({ kind: 'waiting', reason: decision.reason });
      case 'delete':
        return this.#delete(decision, facts.target);
      case 'create':
      case 'update':
      case 'adopt':
        return this.#write(decision, facts.target);
    }
  }

  async #gather(
    decision: Extract<Decision, { action: 'gather' }>,
    facts: Facts,
    ofSource: AwaitSource,
  ): Promise<Step> {
    const { sources, linksFor, writer } = this.#options;
    const links = linksFor(facts.target, winnerOf(facts)?.context);
    const [link] =
      decision.fact === 'source' ? links.filter(({ name }) => name === decision.claim.context) : links;
    if (link === undefined) {
      // Checked before anything is read: an outage must not load the source cluster.
      return { outcome: { kind: 'waiting', reason: 'TargetUnreachable' } };
    }
    if (decision.fact === 'source') {
      const { claim, fresh } = decision;
      const reading = await ofSource(sources.read(claim.source, fresh));
      return { gathered: { source: { uid: claim.source.uid, reading, fresh } } };
    }
    if (decision.fact === 'release') {
      return { gathered: { release: await ofSource(this.#release(facts)) } };
    }
    return lookedAgain(await writer.look(link.client, facts.target));
  }

  async #release({ target, observed }: Facts): Promise<Facts['release']> {
    const { sources, circumstances, cluster } = this.#options;
    if (typeof observed === 'string' || observed.origin === undefined) {
      return undefined;
    }
    const live = await sources.readLive(target.kind, observed.origin);
    const { uid, resourceVersion } = observed;
    return { uid, resourceVersion, release: releaseOf(target, cluster, observed, live, circumstances()) };
  }

  async #write(decision: WriteDecision, target: TargetRef): Promise<Step> {
    const { contention, writer, linksFor } = this.#options;
    const key = targetKey(target);
    const isRepair =
      decision.reason === 'Drifted' ||
      decision.reason === 'Relabelled' ||
      (decision.reason === 'Missing' && contention.isLost(key));
    const pauseMs = isRepair ? contention.pauseMs(key) : 0;
    if (pauseMs > 0) {
      return { outcome: { kind: 'waiting', reason: 'Contested', retryAfterMs: pauseMs } };
    }
    const link = linksFor(target, decision.claim.context).find(({ name }) => name === decision.claim.context);
    if (link === undefined) {
      return { outcome: { kind: 'waiting', reason: 'TargetUnreachable' } };
    }
    const result = await writer.write(link.client, target, decision);
    if (typeof result === 'object') {
      return lookedAgain(result.seen);
    }
    if (isRepair || result === 'mutated') {
      contention.repaired(key, result === 'mutated');
    }
    if (result === 'mutated') {
      return { outcome: { kind: 'waiting', reason: 'Contested', retryAfterMs: contention.pauseMs(key) } };
    }
    const action = result === 'replaced' ? 'replace' : decision.action;
    return { outcome: { kind: 'written', action, reason: decision.reason } };
  }

  async #delete(decision: DeleteDecision, target: TargetRef): Promise<Step> {
    const { guard, linksFor, wasWitnessed, contention } = this.#options;
    const { origin, context } = decision.observed;
    const links = linksFor(target, context);
    if (links.length === 0) {
      return { outcome: { kind: 'waiting', reason: 'TargetUnreachable' } };
    }
    const witnessed =
      origin !== undefined &&
      wasWitnessed(sourceKey({ kind: target.kind, namespace: origin.namespace, name: origin.name }));
    const key = targetKey(target);
    const trip = witnessed ? undefined : guard.obstacle(key, decision.observed.sealed);
    if (trip !== undefined) {
      const held = origin === undefined ? {} : { held: { origin, trip: trip.name } };
      return { outcome: { kind: 'waiting', reason: 'DeletionGuard', ...held } };
    }
    let result: WriteResult;
    try {
      result = await this.#deleteBy(links, decision, target);
    } catch (error) {
      if (!isOutcomeUnknown(error)) {
        guard.giveBack(key);
      }
      throw error;
    }
    if (typeof result === 'object') {
      guard.giveBack(key);
      return lookedAgain(result.seen);
    }
    contention.forget(key);
    return { outcome: { kind: 'written', action: 'delete', reason: decision.reason } };
  }

  async #deleteBy(
    links: readonly ContextLink[],
    decision: DeleteDecision,
    target: TargetRef,
  ): Promise<WriteResult> {
    let refusal: unknown;
    for (const link of links) {
      try {
        return await this.#options.writer.remove(link.client, target, decision);
      } catch (error) {
        // Another context of this cluster may have the right.
        if (!isApiError(error, 'Forbidden')) {
          throw error;
        }
        refusal = error;
      }
    }
    throw refusal;
  }
}

/** Either the end of the pass, or what the next round decides on. */
type Step =
  | { readonly outcome: Outcome }
  | { readonly gathered: Partial<Facts>; readonly foreign?: CopyRecord | undefined };

function settled(outcome: Outcome): Promise<Step> {
  return Promise.resolve({ outcome });
}

/** The object was read or written: the next round decides on what the index knows of it now. */
function lookedAgain(seen: CopyRecord | 'absent'): Step {
  return {
    gathered: { looked: true },
    foreign: seen !== 'absent' && seen.ownership === 'foreign' ? seen : undefined,
  };
}

/** What was asked for can have happened. */
function isOutcomeUnknown(error: unknown): boolean {
  return isApiError(error, 'ServerError') || (error instanceof TransportError && error.sent);
}

function passOf(facts: Facts, outcome: Outcome): Pass {
  return { outcome, claims: facts.claims, winner: winnerOf(facts) };
}

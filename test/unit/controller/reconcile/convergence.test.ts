import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../../controller/claims/claim.ts';
import { buildCopy, type SourceContent } from '../../../../controller/copy/build-copy.ts';
import { contentOfSource, contentStamp } from '../../../../controller/copy/content.ts';
import { recordOfMetadata, recordOfObject } from '../../../../controller/copy/copy-record.ts';
import { originLabels } from '../../../../controller/copy/origin.ts';
import type { TargetRef } from '../../../../controller/copy/target-ref.ts';
import { type Decision, decide } from '../../../../controller/reconcile/decide.ts';
import type { Facts } from '../../../../controller/reconcile/facts.ts';
import type { PayloadObject } from '../../../../shared/kube/object.ts';
import { type SyncedKindName, syncedKind } from '../../../../shared/synced-kind.ts';
import {
  aClaim,
  aSource,
  cluster,
  keys,
  kindNames,
  maps,
  plainKeys,
  reading,
  type SourceState,
  sourceObject,
  sourceStates,
  stampKey,
} from '../arbitraries.ts';

/** One target object and its source, and passes over it that read and write as the reconciler does. */
class World {
  readonly #kind: SyncedKindName;
  readonly #source: SourceContent;
  readonly #claim: Claim;
  readonly #versionsTrusted: boolean;
  copy: PayloadObject | undefined;
  writes: Decision['action'][] = [];

  constructor(kind: SyncedKindName, state: SourceState, context: string, versionsTrusted: boolean) {
    this.#kind = kind;
    this.#source = contentOf(kind, state);
    this.#versionsTrusted = versionsTrusted;
    this.#claim = aClaim({
      source: aSource({ kind, uid: 'uid-omni', resourceVersion: state.resourceVersion }),
      context,
      target: { kind, namespace: 'team', name: 'omni' },
    });
  }

  /** Decides and acts until a decision changes nothing; yields that one. `whole`: the content is known from the start. */
  pass(whole: boolean): Decision {
    let facts: Facts = {
      target: this.#claim.target,
      claims: [this.#claim],
      observed: this.#observed(whole),
      versionsTrusted: this.#versionsTrusted,
    };
    for (let step = 0; step < 10; step += 1) {
      const decision = decide(facts);
      switch (decision.action) {
        case 'gather':
          facts = this.#gather(facts, decision.fact);
          break;
        case 'create':
          this.#store(decision);
          facts = { ...facts, observed: this.#observed(true) };
          break;
        case 'update':
        case 'adopt':
          this.#store(decision, decision.observed);
          facts = { ...facts, observed: this.#observed(true) };
          break;
        case 'delete':
        case 'leave':
        case 'refuse':
        case 'wait':
          return decision;
      }
    }
    throw new Error('the decisions did not come to rest');
  }

  #gather(facts: Facts, fact: 'observed' | 'source' | 'release'): Facts {
    switch (fact) {
      case 'observed':
        return { ...facts, observed: this.#observed(true) };
      case 'source':
        return {
          ...facts,
          source: { uid: 'uid-omni', fresh: true, reading: { state: 'read', source: this.#source } },
        };
      case 'release':
        return {
          ...facts,
          release: {
            uid: 'uid-copy',
            resourceVersion: this.copy?.metadata.resourceVersion ?? '',
            release: { released: true, reason: 'SourceDeleted' },
          },
        };
    }
  }

  #observed(whole: boolean): Facts['observed'] {
    if (this.copy === undefined) {
      return 'absent';
    }
    return whole
      ? recordOfObject(syncedKind(this.#kind), this.copy, reading)
      : recordOfMetadata(this.#kind, this.copy.metadata, reading);
  }

  #store(
    decision: Extract<Decision, { source: SourceContent }>,
    observed?: Parameters<typeof buildCopy>[1],
  ): void {
    this.writes.push(decision.action);
    const plan = {
      kind: syncedKind(this.#kind),
      target: this.#claim.target,
      source: decision.source,
      context: decision.claim.context,
      keys,
      cluster,
      stampKey,
    };
    const copy = buildCopy(plan, observed);
    this.copy = {
      ...copy,
      metadata: { ...copy.metadata, uid: 'uid-copy', resourceVersion: String(100 + this.writes.length) },
    };
  }
}

function contentOf(kind: SyncedKindName, state: SourceState): SourceContent {
  const content = contentOfSource(syncedKind(kind), sourceObject(kind, state), keys);
  const { resourceVersion } = state;
  const stamp = contentStamp(stampKey, content);
  return { namespace: 'demo', name: 'omni', uid: 'uid-omni', resourceVersion, content, stamp };
}

/** What can have happened to a copy since it was made: content of its own, labels lost or added, another maker. */
const histories = fc.record({
  first: sourceStates,
  maker: fc.constantFrom('us', 'us by another context', 'another source', 'kubed'),
  data: fc.option(maps(plainKeys), { nil: undefined }),
  labels: maps([...plainKeys, 'others/x', keys.originName, keys.originNamespace]),
  annotations: maps([...plainKeys, 'others/x']),
  lost: fc.subarray([...plainKeys, keys.originName, keys.originCluster]),
});

type History = typeof histories extends fc.Arbitrary<infer T> ? T : never;

function copyWith(kind: SyncedKindName, history: History): PayloadObject {
  const { first, maker, data, labels, annotations, lost } = history;
  const source = contentOf(kind, first);
  const built = buildCopy({
    kind: syncedKind(kind),
    target: { kind, namespace: 'team', name: 'omni' },
    source: maker === 'another source' ? { ...source, namespace: 'elsewhere' } : source,
    context: maker === 'us by another context' ? 'old-name' : 'c1',
    keys,
    cluster,
    stampKey,
  });
  const origin =
    maker === 'kubed'
      ? '{"namespace":"demo","name":"omni","uid":"uid-omni","resourceVersion":"1"}'
      : (built.metadata.annotations?.[keys.origin] ?? '');
  const kept = Object.entries({ ...built.metadata.labels, ...labels }).filter(([key]) => !lost.includes(key));
  return {
    ...built,
    ...(data === undefined ? {} : { data }),
    metadata: {
      ...built.metadata,
      uid: 'uid-copy',
      resourceVersion: '99',
      labels: {
        ...Object.fromEntries(kept),
        ...(maker === 'kubed' ? originLabels(keys, { namespace: 'demo', name: 'omni' }, cluster.name) : {}),
      },
      annotations: { ...built.metadata.annotations, ...annotations, [keys.origin]: origin },
    },
  };
}

describe('deciding and acting', () => {
  it('comes to rest after one creation', () => {
    fc.assert(
      fc.property(kindNames, sourceStates, fc.boolean(), (kind, state, trusted) => {
        const world = new World(kind, state, 'c1', trusted);
        expect(world.pass(true)).toEqual({ action: 'leave', reason: 'InSync' });
        expect(world.writes).toEqual(['create']);
        expect(world.pass(true)).toEqual({ action: 'leave', reason: 'InSync' });
        expect(world.pass(false)).toEqual({ action: 'leave', reason: 'InSync' });
        expect(world.writes).toHaveLength(1);
      }),
    );
  });

  it('comes to rest after one write at most, whatever became of the copy, and the copy then is the source', () => {
    fc.assert(
      fc.property(
        kindNames,
        sourceStates,
        histories,
        fc.boolean(),
        fc.boolean(),
        (kind, state, history, trusted, whole) => {
          // No API server gives one version to two contents.
          fc.pre(history.first.resourceVersion !== state.resourceVersion);
          const world = new World(kind, state, 'c1', trusted);
          world.copy = copyWith(kind, history);
          expect(world.pass(whole)).toEqual({ action: 'leave', reason: 'InSync' });
          expect(world.writes.length).toBeLessThanOrEqual(1);
          const writes = world.writes.length;
          expect(world.pass(true)).toEqual({ action: 'leave', reason: 'InSync' });
          expect(world.pass(false)).toEqual({ action: 'leave', reason: 'InSync' });
          expect(world.writes).toHaveLength(writes);
          const source = contentOfSource(syncedKind(kind), sourceObject(kind, state), keys);
          expect(world.copy.data ?? {}).toEqual(source.data ?? {});
          expect(world.copy.metadata.labels).toMatchObject({
            ...source.labels,
            ...originLabels(keys, { namespace: 'demo', name: 'omni' }, cluster.name),
          });
          expect(world.copy.metadata.annotations).toMatchObject(source.annotations);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('leaves the copy of an unchanged source without reading the source', () => {
    fc.assert(
      fc.property(kindNames, sourceStates, (kind, state) => {
        const world = new World(kind, state, 'c1', true);
        world.pass(true);
        const observed = recordOfObject(syncedKind(kind), world.copy ?? { metadata: { name: '' } }, reading);
        const source = aSource({ kind, uid: 'uid-omni', resourceVersion: state.resourceVersion });
        const target: TargetRef = { kind, namespace: 'team', name: 'omni' };
        const facts = { target, claims: [aClaim({ source, target })], observed, versionsTrusted: true };
        expect(decide(facts)).toEqual({ action: 'leave', reason: 'InSync' });
        expect(decide({ ...facts, versionsTrusted: false })).toMatchObject({
          action: 'gather',
          fact: 'source',
        });
      }),
    );
  });
});

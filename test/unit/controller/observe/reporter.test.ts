import { beforeEach, describe, expect, it } from 'vitest';
import { Claims } from '../../../../controller/claims/claims.ts';
import { resolve } from '../../../../controller/claims/resolve.ts';
import { KeptState } from '../../../../controller/kept/kept-state.ts';
import { Lane } from '../../../../controller/lane/lane.ts';
import { Scheduler } from '../../../../controller/lane/scheduler.ts';
import { ControllerMetrics } from '../../../../controller/observe/controller-metrics.ts';
import { Reporter } from '../../../../controller/observe/reporter.ts';
import type { Outcome } from '../../../../controller/reconcile/outcome.ts';
import { SourceReader } from '../../../../controller/source/source-reader.ts';
import { type SourceRecord, sourceKey } from '../../../../controller/source/source-record.ts';
import { Verification } from '../../../../controller/target/verification.ts';
import type { CatalogContext } from '../../../../shared/catalog/catalog.ts';
import { ApiError } from '../../../../shared/kube/errors.ts';
import { type LogFields, type Logger, silentLogger } from '../../../../shared/logger.ts';
import { FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { aContext, aSource, circumstancesOf, keys, reading, stampKey } from '../arbitraries.ts';
import { someGuards } from '../guard/guards.ts';

const metrics = new ControllerMetrics(
  {
    lanes: () => [],
    contexts: () => [],
    sources: () => 0,
    problems: () => new Map(),
    eventsDropped: () => 0,
    leases: () => [],
    sourceIsOther: () => false,
  },
  { clock: new ManualClock() },
);

const source = aSource({ syncContexts: 'c1,c2' });
const [c1, c2] = [aContext('c1'), aContext('c2')];

let told: string[];
let logged: string[];
let reporter: Reporter;
let lane: Lane;
let clock: ManualClock;
let sources: Map<string, SourceRecord>;
let repeats = false;
/** Contexts that the sources still ask for. */
let asked: Set<string>;
let tellsOfLists: boolean;
let served: (cluster: string) => boolean;

/** Keeps every line as text. */
function keepingLogger(): Logger {
  const keep =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
  return {
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    with: () => keepingLogger(),
  };
}

beforeEach(() => {
  told = [];
  logged = [];
  clock = new ManualClock();
  sources = new Map([[sourceKey(source), source]]);
  asked = new Set(['c1', 'c2']);
  reporter = new Reporter({
    events: {
      record: ({ type, reason, message, object }) => {
        told.push(`${type} ${object.namespace}/${object.name} ${reason}: ${message}`);
      },
    },
    logger: keepingLogger(),
    metrics,
    clock,
    random: () => 0.5,
    serves: (cluster) => served(cluster),
    tellsOfLists: () => tellsOfLists,
    sourceOf: (key) => sources.get(key),
    isClaimed: ({ context }) => asked.has(context),
  });
  tellsOfLists = true;
  served = () => true;
  const { signal } = new AbortController();
  const client = new FakeApi(clock);
  const circumstances = (): ReturnType<typeof circumstancesOf> => circumstancesOf(c1, c2);
  lane = new Lane({
    cluster: 'cluster-c1',
    reading,
    scheduler: new Scheduler(clock),
    verification: new Verification(clock, () => 0.5),
    guard: someGuards(clock).open('cluster-c1'),
    namespaces: new KeptState(() => undefined).namespacesIn('cluster-c1'),
    claims: new Claims(circumstances()),
    sources: new SourceReader({
      client,
      identity: { confirm: () => Promise.resolve() },
      keys,
      stampKey,
      onVersion: () => undefined,
      cacheBytes: 0,
      clock,
      signal,
    }),
    circumstances,
    wasWitnessed: () => false,
    versionsTrusted: () => true,
    clock,
    random: () => 0.5,
    logger: silentLogger,
    observer: reporter,
    isBehind: () => false,
    onRestored: () => undefined,
    signal,
    abandon: signal,
  });
});

/** A pass over the copy that `of` claims through a context, the first of them being served. */
function pass(outcome: Outcome, context = 'c1', ...of: readonly SourceRecord[]): void {
  const target = { kind: 'ConfigMap', namespace: 'demo', name: 'omni' } as const;
  const claims = (of.length === 0 ? [source] : of).map((claimant) => ({
    source: claimant,
    context,
    cluster: 'cluster-c1',
    target,
    creation: 'allowed' as const,
  }));
  reporter.passed(lane, target, { outcome, claims, winner: claims[0] }, 5, repeats);
}

function resolved(list: string, ...contexts: readonly CatalogContext[]): void {
  const listed = { ...source, syncContexts: list };
  reporter.resolved(listed, resolve(listed, circumstancesOf(...contexts)));
}

const level: Outcome = { kind: 'left', reason: 'InSync' };
const unowned: Outcome = { kind: 'refused', reason: 'Unowned' };
const noNamespace: Outcome = { kind: 'failed', error: new ApiError(404, 'NamespaceNotFound') };

function reasons(): readonly string[] {
  return told.map((event) => event.split(':')[0] ?? '');
}

describe('one of several replicas', () => {
  it('leaves problems of lists, and of contexts that are not identified, to the replica that reports them', () => {
    tellsOfLists = false;
    resolved('c1,c1,nowhere', c1, aContext('c2', { identified: false, problem: 'no such host' }));
    resolved('c2', aContext('c2', { identified: false, problem: 'no such host' }));
    expect([told, reporter.counts().size]).toEqual([[], 0]);
    tellsOfLists = true;
    resolved('nowhere', c1);
    expect(reasons()).toEqual(['Warning demo/omni InvalidSyncContexts']);
  });

  it('drops silently what other replicas report from now on', () => {
    resolved('c1,nowhere', c1);
    pass(unowned);
    const before = reasons();
    expect(before).toEqual(['Warning demo/omni InvalidSyncContexts', 'Warning demo/omni Unowned']);
    served = () => false;
    tellsOfLists = false;
    resolved('c1,nowhere', c1);
    expect([reasons(), reporter.counts().size]).toEqual([before, 0]);
  });

  it('takes nothing from a pass that ends after its cluster went to another replica', () => {
    served = () => false;
    tellsOfLists = false;
    resolved('c1,c2', c1, c2);
    pass(noNamespace);
    expect([told, reporter.counts().size]).toEqual([[], 0]);
  });
});

describe('the reporter', () => {
  it('says nothing while all is well', () => {
    pass(level);
    pass({ kind: 'written', action: 'create', reason: 'Missing' });
    resolved('c1,c2', c1, c2);
    expect(told).toEqual([]);
  });

  it('reports a problem once, another one at once, and its end once', () => {
    pass(unowned);
    pass(unowned);
    pass(noNamespace);
    pass({ kind: 'waiting', reason: 'SourceChanging' });
    pass(level);
    pass(level);
    expect(reasons()).toEqual([
      'Warning demo/omni Unowned',
      'Warning demo/omni NamespaceNotFound',
      'Normal demo/omni Recovered',
    ]);
    expect(told.at(-1)).toContain('The copy through context "c1" is in sync again.');
    expect(reporter.counts()).toEqual(new Map());
  });

  it('keeps the contexts of a source apart, and counts current problems', () => {
    pass(unowned, 'c1');
    pass(unowned, 'c2');
    pass(level, 'c1');
    expect(reasons()).toEqual([
      'Warning demo/omni Unowned',
      'Warning demo/omni Unowned',
      'Normal demo/omni Recovered',
    ]);
    expect(reporter.counts()).toEqual(new Map([['Unowned', 1]]));
  });

  it('reports to the source that has to wait, and not to the one that is served', () => {
    const other = aSource({ namespace: 'other', syncContexts: 'c1' });
    sources.set(sourceKey(other), other);
    pass(level, 'c1', source, other);
    pass(level, 'c1', source, other);
    expect(reasons()).toEqual(['Warning other/omni ClaimedByOther']);
    pass(level, 'c1', other);
    expect(reasons().at(-1)).toBe('Normal other/omni Recovered');
  });

  it('forgets a source that is gone, also when a pass over its copy ends later', () => {
    pass(unowned);
    sources.delete(sourceKey(source));
    reporter.forgotten(sourceKey(source));
    pass(noNamespace);
    expect([told.length, reporter.counts().size]).toEqual([1, 0]);
  });

  it('takes nothing from a pass that ends after its context left the list or means another cluster', () => {
    pass(unowned, 'c1');
    pass(unowned, 'c2');
    asked.delete('c2');
    resolved('c1', c1, c2);
    pass(noNamespace, 'c2');
    expect(reporter.counts()).toEqual(new Map([['Unowned', 1]]));
    asked.delete('c1');
    pass(level, 'c1');
    expect([reasons().length, reporter.counts()]).toEqual([2, new Map([['Unowned', 1]])]);
  });

  it('drops the problem of a context once another one of its cluster serves the source', () => {
    pass(unowned, 'c2');
    const target = { kind: 'ConfigMap', namespace: 'demo', name: 'omni' } as const;
    const claims = ['c1', 'c2'].map((context) => ({
      source,
      context,
      cluster: 'cluster-c1',
      target,
      creation: 'ambiguous' as const,
    }));
    reporter.passed(lane, target, { outcome: level, claims, winner: claims[0] }, 5, repeats);
    expect([reporter.counts().size, reasons()]).toEqual([0, ['Warning demo/omni Unowned']]);
  });

  it('repeats the Event of a problem that lasts before API servers drop it', async () => {
    const stop = new AbortController();
    const running = reporter.run(stop.signal);
    pass(unowned);
    await clock.advance(59 * 60_000);
    expect(reasons()).toEqual(['Warning demo/omni Unowned', 'Warning demo/omni Unowned']);
    pass(level);
    await clock.advance(120 * 60_000);
    expect(reasons().at(-1)).toBe('Normal demo/omni Recovered');
    stop.abort();
    await running;
  });

  it('logs one of many failures for one reason as a warning', () => {
    pass(noNamespace);
    repeats = true;
    pass(noNamespace);
    repeats = false;
    expect(logged.filter((line) => line.startsWith('warn pass over a copy failed'))).toHaveLength(1);
  });
});

describe('what is wrong with a list', () => {
  it('is reported in one Event with all of it, and its end in another', () => {
    resolved('c1,nobody,,no-one', c1);
    resolved('c1,nobody,,no-one', c1);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('InvalidSyncContexts');
    expect(told[0]).toContain('"nobody" and "no-one" are unknown');
    expect(told[0]).toContain('empty entry');
    resolved('c1', c1);
    expect(told.slice(1)).toEqual(['Normal demo/omni Recovered: The list of contexts is valid again.']);
  });

  it('is not judged while a context is being reached for the first time', () => {
    resolved('c1,nobody', aContext('c1', { settling: true, identified: false }));
    expect(told).toEqual([]);
  });

  it('includes a context that cannot be used, until a pass over its copy shows that all is well', () => {
    const lost = aContext('c1', { identified: false, problem: 'it is silent' });
    resolved('c1', lost);
    resolved('c1', lost);
    resolved('c1', c1);
    expect(reasons()).toEqual(['Warning demo/omni ContextUnavailable']);
    pass(level);
    expect(reasons().at(-1)).toBe('Normal demo/omni Recovered');
  });

  it('ends the problems of a context that is no longer served, but claims no recovery', () => {
    pass(unowned, 'c1');
    pass(unowned, 'c2');
    resolved('c1', c1, c2);
    expect(reporter.counts()).toEqual(new Map([['Unowned', 1]]));
    resolved('c1');
    expect(reporter.counts()).toEqual(new Map([['InvalidSyncContexts', 1]]));
    expect(reasons().filter((reason) => reason.includes('Recovered'))).toEqual([]);
  });
});

it('logs what went wrong without the words of an error that it does not know', () => {
  const error = new Error('c4n4ry-payload');
  pass({ kind: 'failed', error });
  expect(logged.some((line) => line.startsWith('warn pass over a copy failed'))).toBe(true);
  expect(logged.join('\n')).not.toContain('c4n4ry-payload');
  expect(told.join('\n')).not.toContain('c4n4ry-payload');
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContextLink, type LinkState, newLinkStatus } from '../../../../controller/contexts/context-link.ts';
import { KeptState } from '../../../../controller/kept/kept-state.ts';
import { CopyIndex } from '../../../../controller/target/copy-index.ts';
import { ForeignCopies } from '../../../../controller/target/foreign-copies.ts';
import { TargetWatch } from '../../../../controller/target/target-watch.ts';
import { Verification } from '../../../../controller/target/verification.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../../shared/kube/object.ts';
import { configMaps } from '../../../../shared/kube/resource.ts';
import { type LogFields, type Logger, silentLogger } from '../../../../shared/logger.ts';
import { syncedKind } from '../../../../shared/synced-kind.ts';
import { anObject, FakeApi, type FakeCall } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { cluster, keys, reading } from '../arbitraries.ts';

let clock: ManualClock;
let api: FakeApi;
let index: CopyIndex;
let kept: KeptState;
let claimed: Set<string>;
let warnings: LogFields[];
let states: Map<string, LinkState>;
let stop: AbortController;
let watch: TargetWatch;

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  index = new CopyIndex(reading);
  kept = new KeptState(() => undefined);
  claimed = new Set(['one', 'two']);
  warnings = [];
  states = new Map();
  stop = new AbortController();
  const logger: Logger = {
    ...silentLogger,
    with: () => logger,
    warn: (msg, fields) => {
      warnings.push({ msg, ...fields });
    },
  };
  const options = {
    kind: syncedKind('ConfigMap'),
    index,
    keys,
    foreign: new ForeignCopies({ cluster: 'c', reading, clock, logger: silentLogger }),
    claimedNamespaces: () => claimed,
    namespaces: kept.namespacesIn('c'),
    verification: new Verification(clock, () => 0.5),
    onLost: () => undefined,
    onListFailing: () => undefined,
    onUnverified: () => undefined,
    clock,
    random: () => 0.5,
    logger,
    onChanged: () => undefined,
    onListed: () => undefined,
    signal: stop.signal,
  };
  watch = new TargetWatch(options);
});

afterEach(async () => {
  stop.abort();
  await watch.close();
});

describe('the watch of a target cluster', () => {
  it('covers the claimed namespaces through a context that answers while another one is down', async () => {
    watch.adjust([link('role', 'up', inNamespaces('one', 'two')), link('silent', 'down', unreachable)]);
    await clock.advance(1_000);
    expect(covered()).toEqual(['one', 'two']);
  });

  it('goes on with Roles, orphans included, when the context with rights over all namespaces is down', async () => {
    claimed = new Set(['one']);
    api.put(configMaps, aCopy('one'));
    api.put(configMaps, aCopy('orphaned'));
    const role = link('role', 'up', inNamespaces('one', 'orphaned'));
    watch.adjust([link('wide', 'up', () => true), role]);
    await clock.advance(1_000);
    expect(index.isCovered('ConfigMap', 'any')).toBe(true);

    watch.adjust([link('wide', 'down', unreachable), role]);
    await clock.advance(1_000);
    expect(covered('one', 'orphaned', 'any')).toEqual(['one', 'orphaned']);
    expect(index.observed({ kind: 'ConfigMap', namespace: 'orphaned', name: 'omni' })).toBeTypeOf('object');
  });

  it('watches each namespace through the context that has a Role there, where none is bound to a namespace', async () => {
    watch.adjust([link('first', 'up', inNamespaces('one')), link('second', 'up', inNamespaces('two'))]);
    await clock.advance(1_000);
    expect(covered()).toEqual(['one', 'two']);
    expect(watch.failingLists).toBe(0);
  });

  it('tries contexts again that were refused, without asking all the time', async () => {
    claimed = new Set(['two']);
    let granted: readonly string[] = [];
    const rights = (namespace: string | undefined): boolean => granted.includes(namespace ?? '');
    const links = [link('first', 'up', () => false), link('second', 'up', rights)];
    watch.adjust(links);
    await clock.advance(10 * 60_000);
    expect(watch.failingLists).toBe(1);
    const before = api.calls.length;
    await clock.advance(10 * 60_000);
    expect(api.calls.length - before).toBeLessThan(150);
    granted = ['two'];
    await clock.advance(20 * 60_000);
    expect([covered(), watch.failingLists]).toEqual([['two'], 0]);
  });

  it('tries other contexts when the one that is being tried goes down', async () => {
    let isWide = false;
    let isSilent = false;
    const rights: Rights = (namespace) => claimed.has(namespace ?? '') || isWide;
    const trying = link('trying', 'up', (namespace) =>
      isSilent ? unreachable() : claimed.has(namespace ?? ''),
    );
    const other = link('other', 'up', rights);
    watch.adjust([trying, other]);
    await clock.advance(1_000);
    isSilent = true;
    await clock.advance(60_000);
    states.set('trying', 'down');
    watch.adjust([trying, other]);
    isWide = true;
    await clock.advance(30 * 60_000);
    expect(covered('one', 'any')).toEqual(['one', 'any']);
  });

  it.each([
    { scope: 'all namespaces', rights: () => true },
    { scope: 'its namespaces', rights: inNamespaces('one', 'two') },
  ])('says once which right is missing where $scope may be listed and not watched', async ({ rights }) => {
    watch.adjust([link('lister', 'up', (namespace, verb) => verb === 'list' && rights(namespace))]);
    await clock.advance(60_000);
    expect(covered()).toEqual(['one', 'two']);
    expect(warnings).toEqual([
      {
        msg: 'copies on a target cluster are listed but cannot be watched, changes there are noticed late; grant watch',
        context: 'lister',
        kind: 'ConfigMap',
      },
    ]);
  });

  it('narrows to namespaces when the rights over all of them are taken away, also those to list', async () => {
    let isWide = true;
    const only = link('was-wide', 'up', (namespace) => isWide || claimed.has(namespace ?? ''));
    watch.adjust([only]);
    await clock.advance(1_000);
    expect(covered('any')).toEqual(['any']);
    isWide = false;
    // Watches end; the fake goes on.
    await only.client.close();
    await clock.advance(60_000);
    expect(covered('one', 'two', 'any')).toEqual(['one', 'two']);
  });
});

type Rights = (namespace: string | undefined, verb: FakeCall['verb']) => boolean | Error;

function inNamespaces(...granted: readonly string[]): (namespace: string | undefined) => boolean {
  return (namespace) => granted.includes(namespace ?? '');
}

function unreachable(): Error {
  return new TransportError('Timeout', true, '');
}

/** A link in a state that `states` can change; what its credentials may do is what `rights` says. */
function link(name: string, state: LinkState, rights: Rights): ContextLink {
  const client = api.connection();
  client.fault = (call) => {
    api.calls.push(call);
    const outcome = rights(call.namespace, call.verb);
    return outcome === true
      ? undefined
      : { before: outcome === false ? new ApiError(403, 'Forbidden') : outcome };
  };
  return new ContextLink({
    name,
    namespace: undefined,
    server: client.server,
    client,
    status: {
      ...newLinkStatus,
      get state() {
        return states.get(name) ?? state;
      },
    },
    sourceNamespaceUid: () => Promise.resolve(undefined),
    clock,
    random: () => 0.5,
    logger: silentLogger,
    onChange: () => undefined,
  });
}

/** Those of the namespaces of which all copies are known. */
function covered(...namespaces: readonly string[]): readonly string[] {
  const all = namespaces.length === 0 ? [...claimed] : namespaces;
  return all.filter((namespace) => index.isCovered('ConfigMap', namespace));
}

/** A copy of ours as far as its marks go. */
function aCopy(namespace: string): KubeObject {
  const source = { namespace: 'demo', name: 'omni', uid: 'u', resourceVersion: '1' };
  const origin = { ...source, clusterUID: cluster.uid, copy: { namespace, name: 'omni' } };
  return anObject(configMaps, namespace, 'omni', {
    labels: { [keys.originCluster]: cluster.name },
    annotations: { [keys.origin]: JSON.stringify(origin) },
  });
}

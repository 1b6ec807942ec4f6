import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Trip } from '../../../controller/guard/trip.ts';
import { KeptState, stateKey } from '../../../controller/kept/kept-state.ts';
import { ControllerMetrics } from '../../../controller/observe/controller-metrics.ts';
import type { ControllerSettings } from '../../../controller/settings/settings.ts';
import { KnownSource } from '../../../controller/source/known-source.ts';
import { Term } from '../../../controller/term.ts';
import { catalogConfigMapName } from '../../../shared/catalog/document.ts';
import { ApiError } from '../../../shared/kube/errors.ts';
import type { KubeObject, PayloadObject } from '../../../shared/kube/object.ts';
import { configMaps, namespaces } from '../../../shared/kube/resource.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { trustedJson } from '../../sandbox/json.ts';
import { FakeApi } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const settings: Pick<
  ControllerSettings,
  | 'namespace'
  | 'clusterName'
  | 'takeOverFromUid'
  | 'annotationPrefix'
  | 'shards'
  | 'policies'
  | 'policyDefault'
> = {
  namespace: 'own',
  clusterName: 'source',
  takeOverFromUid: undefined,
  annotationPrefix: 'kubed.appscode.com',
  shards: 1,
  policies: [],
  policyDefault: 'allow',
};

let clock: ManualClock;
let api: FakeApi;
let stop: AbortController;
let events: string[];

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  stop = new AbortController();
  events = [];
  api.put(namespaces, { metadata: { name: 'kube-system' } });
});

afterEach(async () => {
  stop.abort();
  await clock.advance(20_000);
});

async function begin(): Promise<Term> {
  const uid = api.peek<KubeObject>(namespaces, undefined, 'kube-system')?.metadata.uid ?? '';
  const source = new KnownSource(api.server, silentLogger);
  source.recognise(uid);
  return await Term.begin({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a term reads no other settings.
    settings: settings as ControllerSettings,
    environment: {
      logger: silentLogger,
      clock,
      random: () => 0.5,
      signal: stop.signal,
      identity: 'me',
      version: '0',
      inCluster: {},
      credentialEnvironment: {},
    },
    client: api,
    openSource: () => {
      const other = api.connection();
      other.onWrite = ({ resource, request }) => {
        if (resource.plural === 'events') events.push(JSON.stringify(request));
      };
      return other;
    },
    connect: () => api.connection(),
    source,
    identified: { uid, evidence: { kubeSystemUid: uid } },
    readSourceUid: () => Promise.resolve(uid),
    metrics: new ControllerMetrics(
      {
        lanes: () => [],
        contexts: () => [],
        sources: () => 0,
        problems: () => new Map(),
        eventsDropped: () => 0,
        leases: () => [],
        sourceIsOther: () => false,
      },
      { clock },
    ),
    contexts: () => [],
    unwrittenState: undefined,
    signal: stop.signal,
  });
}

describe('a term', () => {
  it('reports objects that were listed before its shard was taken and whose annotation is not acted upon', async () => {
    api.put(configMaps, {
      metadata: { namespace: 'demo', name: 'marked', annotations: { 'kubed.appscode.com/sync': '' } },
    });
    const term = await begin();
    const running = term.run();
    // The read of the state takes longer than the list of sources.
    api.fault = ({ verb, name }) =>
      verb === 'get' && name === catalogConfigMapName ? { answerDelayMs: 1_000 } : undefined;
    const taken = term.take(0, new AbortController().signal);
    await clock.advance(60_000);
    await taken;
    expect(events.filter((event) => event.includes('SyncIgnored'))).toHaveLength(1);
    stop.abort();
    await clock.advance(20_000);
    await running;
  });

  it('has written its trips when a shard is left, so that the next holder reads them', async () => {
    const term = await begin();
    const running = term.run();
    await term.take(0, new AbortController().signal);
    await clock.advance(5_000);
    term.engine.sourceRestored();
    const leave = async (): Promise<readonly Trip[]> => {
      await term.leave(0);
      return keptTrips();
    };
    const leaving = leave();
    await clock.advance(10_000);
    expect(await leaving).toMatchObject([{ reason: 'SourceRestored' }]);
    stop.abort();
    await clock.advance(20_000);
    await running;
  });

  it('has written its trips when it ends, also where a write is refused first', async () => {
    const term = await begin();
    const running = term.run();
    await term.take(0, new AbortController().signal);
    await clock.advance(5_000);
    term.engine.sourceRestored();
    api.failNext('update', new ApiError(500, 'ServerError'));
    stop.abort();
    const tripsAtTheEnd = async (): Promise<readonly Trip[]> => {
      await running;
      return keptTrips();
    };
    const ended = tripsAtTheEnd();
    await clock.advance(20_000);
    expect(await ended).toMatchObject([{ reason: 'SourceRestored' }]);
    expect(term.unwrittenState).toBeUndefined();
  });

  it('ends in time where its trips cannot be written, and leaves them to the next one', async () => {
    const term = await begin();
    const running = term.run();
    await term.take(0, new AbortController().signal);
    await clock.advance(5_000);
    term.engine.sourceRestored();
    api.fault = ({ verb }) => (verb === 'update' ? { before: new ApiError(403, 'Forbidden') } : undefined);
    stop.abort();
    await clock.advance(15_000);
    await running;
    const state = new KeptState(() => undefined);
    state.take(term.unwrittenState ?? '{}', () => false);
    expect(state.trips).toMatchObject([{ reason: 'SourceRestored' }]);
  });

  it('ends a trip that another process released, although the annotation has another name by now', async () => {
    const term = await begin();
    const running = term.run();
    await term.take(0, new AbortController().signal);
    await clock.advance(5_000);
    term.engine.sourceRestored();
    await clock.advance(5_000);
    const [written] = keptTrips();
    expect(written).toMatchObject({ reason: 'SourceRestored' });
    const { name = '', since } = written ?? {};
    api.put<PayloadObject>(configMaps, {
      metadata: {
        namespace: 'own',
        name: catalogConfigMapName,
        annotations: { 'kubed.appscode.com/release-deletions': 'another' },
      },
      data: { [stateKey]: JSON.stringify({ trips: [], released: { [name]: since } }) },
    });
    await clock.advance(5_000);
    expect(keptTrips()).toEqual([]);
    stop.abort();
    await clock.advance(20_000);
    await running;
  });
});

/** The trips as they are written. */
function keptTrips(): readonly Trip[] {
  const { data } = api.peek<PayloadObject>(configMaps, 'own', catalogConfigMapName) ?? {};
  return trustedJson<{ trips: readonly Trip[] }>(data?.[stateKey] ?? '{"trips":[]}').trips;
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CatalogPublisher } from '../../../../controller/contexts/catalog-publisher.ts';
import { catalogConfigMapName, catalogKey } from '../../../../shared/catalog/document.ts';
import type { PayloadObject } from '../../../../shared/kube/object.ts';
import { configMaps } from '../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { anObject, FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const namespace = 'context-syncer';

let clock: ManualClock;
let api: FakeApi;
let isSource: boolean;
let publishes: boolean;
let state: string | undefined;
let annotations: Readonly<Record<string, string>>[];
let publisher: CatalogPublisher;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  [isSource, annotations, stop] = [true, [], new AbortController()];
  [publishes, state] = [true, undefined];
  publisher = newPublisher();
  publisher.publish({ contexts: new Map() });
});

function newPublisher(): CatalogPublisher {
  return new CatalogPublisher({
    client: api,
    writes: api,
    confirm: () => (isSource ? Promise.resolve() : Promise.reject(new Error('another cluster'))),
    namespace,
    clock,
    random: () => 0.5,
    logger: silentLogger,
    state: { key: 'state.json', text: () => state },
    publishes: () => publishes,
    onSeen: (seen) => {
      annotations.push(seen?.metadata.annotations ?? {});
    },
  });
}

afterEach(async () => {
  stop.abort();
  await running;
});

describe('the publisher of the catalog', () => {
  it('publishes, and publishes again what somebody deletes', async () => {
    running = publisher.run(stop.signal);
    await clock.advance(1_000);
    expect(published()).toHaveProperty([catalogKey]);
    api.drop(configMaps, namespace, catalogConfigMapName);
    await clock.advance(1_000);
    expect(published()).toHaveProperty([catalogKey]);
  });

  it('writes the state alone while the catalog is for another process to publish', async () => {
    publishes = false;
    const theirs = api.put<PayloadObject>(configMaps, {
      ...anObject(configMaps, namespace, catalogConfigMapName),
      data: { [catalogKey]: 'theirs' },
    });
    running = publisher.run(stop.signal);
    await clock.advance(1_000);
    expect(published()).toEqual(theirs.data);
    state = 'a trip';
    publisher.changed();
    await clock.advance(1_000);
    expect(published()).toEqual({ [catalogKey]: 'theirs', 'state.json': 'a trip' });
    publishes = true;
    publisher.changed();
    await clock.advance(1_000);
    expect(published()?.[catalogKey]).not.toBe('theirs');
  });

  it('writes the state before the first contexts are known, so that no trip is lost', async () => {
    publisher = newPublisher();
    running = publisher.run(stop.signal);
    await clock.advance(1_000);
    expect(published()).toBeUndefined();
    state = 'a trip';
    publisher.changed();
    await clock.advance(1_000);
    expect(published()).toEqual({ 'state.json': 'a trip' });
    publisher.publish({ contexts: new Map() });
    await clock.advance(1_000);
    expect(Object.keys(published() ?? {}).toSorted()).toEqual([catalogKey, 'state.json']);
  });

  it('takes nothing from a list of another cluster at the address of the source, and writes nothing there', async () => {
    isSource = false;
    const foreign = api.put<PayloadObject>(configMaps, {
      ...anObject(configMaps, namespace, catalogConfigMapName, { annotations: { foreign: 'yes' } }),
      data: {},
    });
    running = publisher.run(stop.signal);
    await clock.advance(30_000);
    expect(api.peek(configMaps, namespace, catalogConfigMapName)).toEqual(foreign);
    expect(annotations).toEqual([]);
    isSource = true;
    await clock.advance(30_000);
    expect(published()).toHaveProperty([catalogKey]);
    expect(annotations).toContainEqual({ foreign: 'yes' });
  });
});

function published(): PayloadObject['data'] {
  return api.peek<PayloadObject>(configMaps, namespace, catalogConfigMapName)?.data;
}

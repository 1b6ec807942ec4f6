import { beforeEach, describe, expect, it } from 'vitest';
import { KeptState, stateKey } from '../../../../controller/kept/kept-state.ts';
import { loadState } from '../../../../controller/kept/load-state.ts';
import { catalogConfigMapName } from '../../../../shared/catalog/document.ts';
import { ApiError } from '../../../../shared/kube/errors.ts';
import type { PayloadObject } from '../../../../shared/kube/object.ts';
import { configMaps } from '../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { anObject, FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { ownNamespace } from '../arbitraries.ts';

let clock: ManualClock;
let api: FakeApi;
let errors: string[];
let state: KeptState;

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  errors = [];
  state = new KeptState(() => undefined);
});

async function load(): Promise<void> {
  await loadState(state, {
    client: api,
    namespace: ownNamespace,
    clock,
    random: () => 0.5,
    logger: { ...silentLogger, error: (message) => errors.push(message) },
    served: () => false,
    signal: new AbortController().signal,
  });
}

function keep(text: string): void {
  const object: PayloadObject = {
    ...anObject(configMaps, ownNamespace, catalogConfigMapName),
    data: { 'catalog.json': '{}', [stateKey]: text },
  };
  api.put(configMaps, object);
}

describe('what an earlier process kept', () => {
  it('is there before work begins, however often the source cluster fails to say', async () => {
    const earlier = new KeptState(() => undefined);
    earlier.addTrip({ name: 'k3f9x2', cluster: 'c', reason: 'TooManyDeletions', since: '' });
    keep(earlier.format() ?? '');
    api.failNext('get', new ApiError(500, 'ServerError'), 3);
    const loaded = load();
    await clock.until(() => state.trips.length === 1);
    await loaded;
    expect([state.format(), errors.length]).toEqual([earlier.format(), 3]);
  });

  it('is nothing where there is no ConfigMap', async () => {
    await load();
    expect([state.format(), errors]).toEqual([undefined, []]);
  });

  it('is given up, and that is said, where it cannot be read', async () => {
    keep('{');
    await load();
    expect([state.format(), errors.length]).toEqual([undefined, 1]);
  });
});

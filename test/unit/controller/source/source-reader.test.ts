import { beforeEach, describe, expect, it } from 'vitest';
import type { RecordedOrigin } from '../../../../controller/copy/copy-record.ts';
import { OtherClusterError } from '../../../../controller/source/identity-check.ts';
import { SourceReadError, SourceReader } from '../../../../controller/source/source-reader.ts';
import { type SourceRecord, sourceRecordOf } from '../../../../controller/source/source-record.ts';
import { AbortedError, ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import type { PayloadObject } from '../../../../shared/kube/object.ts';
import { configMaps, secrets } from '../../../../shared/kube/resource.ts';
import { anObject, FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { aSource, keys, stampKey } from '../arbitraries.ts';

let clock: ManualClock;
let api: FakeApi;
let confirmed: () => Promise<void>;

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  confirmed = () => Promise.resolve();
});

function aReader(cacheBytes = 100_000): SourceReader {
  return new SourceReader({
    client: api,
    identity: { confirm: () => confirmed() },
    keys,
    stampKey,
    onVersion: () => undefined,
    cacheBytes,
    clock,
    signal: new AbortController().signal,
  });
}

/** Stores `demo/NAME` with this much payload, and yields its record. */
function stored(name: string, bytes = 10, list: string | undefined = 'c1'): SourceRecord {
  const object: PayloadObject = {
    ...anObject(configMaps, 'demo', name, { annotations: { [keys.syncContexts]: list } }),
    data: { key: 'x'.repeat(bytes) },
  };
  return sourceRecordOf('ConfigMap', api.put(configMaps, object), keys) ?? aSource();
}

function gets(): number {
  return api.calls.filter(({ verb }) => verb === 'get').length;
}

describe('the payload of a source', () => {
  it('is read once for a version, however many want it', async () => {
    const reader = aReader();
    const record = stored('a');
    const readings = await Promise.all([reader.read(record), reader.read(record)]);
    readings.push(await reader.read(record));
    expect(readings.map(({ state }) => state)).toEqual(['read', 'read', 'read']);
    expect(gets()).toBe(1);
    await reader.read(stored('a', 20));
    expect(gets()).toBe(2);
  });

  it('is read again when asked for fresh, and when what is remembered is older than a change takes', async () => {
    const reader = aReader();
    const record = stored('a');
    await reader.read(record);
    await reader.read(record, true);
    expect(gets()).toBe(2);
    await clock.advance(5_000);
    await reader.read(record);
    expect(gets()).toBe(2);
    await clock.advance(1);
    await reader.read(record);
    expect(gets()).toBe(3);
  });

  it('is that of a newer version where the list still is the same, and says so', async () => {
    const reader = aReader();
    const record = stored('a');
    const newer = stored('a', 20);
    expect(await reader.read(record)).toMatchObject({
      state: 'read',
      source: { resourceVersion: newer.resourceVersion, content: { data: { key: 'x'.repeat(20) } } },
    });
  });

  it('is not used where the live object asks for something else, or is gone', async () => {
    const reader = aReader();
    const record = stored('a');
    stored('a', 10, 'c1,c2');
    expect(await reader.read(record)).toEqual({ state: 'changing' });
    api.drop(configMaps, 'demo', 'a');
    await clock.advance(0);
    expect(await reader.read(record)).toEqual({ state: 'changing' });
    await clock.advance(0);
    const madeAnew = stored('a');
    expect(await reader.read(record)).toEqual({ state: 'changing' });
    expect(await reader.read(madeAnew)).toMatchObject({ state: 'read' });
  });

  it('never leaves a Secret whose type ties it to its cluster', async () => {
    const object = {
      ...anObject(secrets, 'demo', 'a', { annotations: { [keys.syncContexts]: 'c1' } }),
      type: 'kubernetes.io/service-account-token',
    };
    const record = sourceRecordOf('Secret', api.put(secrets, object), keys) ?? aSource();
    expect(await aReader().read(record)).toEqual({ state: 'special' });
  });

  it('is asked for again after a failure, which is the source cluster’s', async () => {
    const reader = aReader();
    const record = stored('a');
    api.failNext('get', new TransportError('ConnectionReset', true, ''));
    await expect(reader.read(record)).rejects.toThrow(SourceReadError);
    await clock.advance(0);
    expect(await reader.read(record)).toMatchObject({ state: 'read' });
  });
});

describe('the cache of payloads', () => {
  it('keeps what was used last, within its bytes', async () => {
    const reader = aReader(3_200);
    const records = ['a', 'b', 'c'].map((name) => stored(name, 500));
    for (const record of records) {
      await reader.read(record);
    }
    await clock.advance(0);
    const [a, b] = records;
    await reader.read(a ?? aSource());
    await reader.read(stored('d', 500));
    await clock.advance(0);
    const before = gets();
    await reader.read(a ?? aSource());
    expect(gets()).toBe(before);
    await reader.read(b ?? aSource());
    expect(gets()).toBe(before + 1);
  });

  it('does not count bytes twice, nor those that it dropped while they were on their way', async () => {
    const reader = aReader(3_200);
    stored('a', 500);
    for (let round = 0; round < 20; round += 1) {
      const record = stored('a', 500);
      const reading = reader.read(record);
      reader.forget('ConfigMap/demo/a');
      const again = reader.read(record);
      await Promise.all([reading, again]);
      await clock.advance(0);
      const dropped = reader.read(stored('a', 500));
      reader.forget('ConfigMap/demo/a');
      await dropped;
      await clock.advance(0);
    }
    const record = stored('a', 500);
    await reader.read(record);
    await reader.read(stored('b', 500));
    await clock.advance(0);
    const before = gets();
    await reader.read(record);
    expect(gets()).toBe(before);
  });

  it('serves, but does not keep, what is larger than all of it', async () => {
    const reader = aReader(1_000);
    const record = stored('a', 5_000);
    expect(await reader.read(record)).toMatchObject({ state: 'read' });
    await clock.advance(0);
    await reader.read(record);
    expect(gets()).toBe(2);
  });

  it('drops what it knows by version when versions mean nothing any more', async () => {
    const reader = aReader();
    const record = stored('a');
    await reader.read(record);
    reader.clear();
    await reader.read(record);
    expect(gets()).toBe(2);
  });
});

/** What a copy records of its source. */
function originOf(name: string, resourceVersion = '1'): RecordedOrigin {
  return { namespace: 'demo', name, uid: `uid-${name}`, resourceVersion };
}

describe('the live read that a deletion rests on', () => {
  it('is of metadata, and says absent only where the API server does', async () => {
    const reader = aReader();
    stored('a');
    expect((await reader.readLive('ConfigMap', originOf('a')))?.metadata.name).toBe('a');
    expect(api.calls.at(-1)).toMatchObject({ verb: 'get', shape: 'metadata' });
    expect(await reader.readLive('ConfigMap', originOf('b'))).toBeUndefined();
    api.failNext('get', new ApiError(404, 'NamespaceNotFound'));
    expect(await reader.readLive('ConfigMap', originOf('c'))).toBeUndefined();
  });

  it('serves every cluster that the source leaves at the same time, until an event about the source comes', async () => {
    const reader = aReader();
    const leave = (): Promise<unknown> =>
      Promise.all(Array.from({ length: 50 }, () => reader.readLive('ConfigMap', originOf('a'))));
    await leave();
    await leave();
    expect(gets()).toBe(1);
    reader.sourceChanged('ConfigMap/demo/a', stored('a'));
    expect(await reader.readLive('ConfigMap', originOf('a'))).toBeDefined();
    expect(gets()).toBe(2);
    await clock.advance(5_001);
    await reader.readLive('ConfigMap', originOf('a'));
    expect(gets()).toBe(3);
  });

  it('is made again for a copy of a later version: another process can know that the source came back', async () => {
    const reader = aReader();
    await reader.readLive('ConfigMap', originOf('a', '5'));
    await reader.readLive('ConfigMap', originOf('a', '4'));
    expect(gets()).toBe(1);
    await reader.readLive('ConfigMap', originOf('a', '6'));
    await reader.readLive('ConfigMap', { ...originOf('a', '6'), uid: 'made anew' });
    expect(gets()).toBe(3);
  });

  it('is tried again after a failure', async () => {
    const reader = aReader();
    api.failNext('get', new ApiError(500, 'ServerError'));
    await expect(reader.readLive('ConfigMap', originOf('a'))).rejects.toThrow(SourceReadError);
    expect(await reader.readLive('ConfigMap', originOf('a'))).toBeUndefined();
  });

  it('ends with the confirmation that it was the source cluster which answered', async () => {
    const reader = aReader();
    confirmed = () => {
      expect(api.calls.at(-1)).toMatchObject({ verb: 'get', name: 'a' });
      return Promise.reject(new OtherClusterError());
    };
    await expect(reader.readLive('ConfigMap', originOf('a'))).rejects.toThrow(OtherClusterError);
  });

  it.each([
    new ApiError(403, 'Forbidden'),
    new ApiError(410, 'Gone'),
    new ApiError(500, 'ServerError'),
    new TransportError('Timeout', true, ''),
    new AbortedError(),
  ])('fails otherwise: %s proves nothing', async (error) => {
    stored('a');
    api.failNext('get', error);
    await expect(aReader().readLive('ConfigMap', originOf('a'))).rejects.toThrow(SourceReadError);
  });
});

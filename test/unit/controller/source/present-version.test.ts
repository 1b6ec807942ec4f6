import { expect, test } from 'vitest';
import { notePresentVersion } from '../../../../controller/source/present-version.ts';
import { ApiError } from '../../../../shared/kube/errors.ts';
import { configMaps } from '../../../../shared/kube/resource.ts';
import { FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

test('the version that the source cluster has reached is noted, once it answers for every kind', async () => {
  const clock = new ManualClock();
  const client = new FakeApi(clock);
  await client.create(configMaps, { metadata: { name: 'omni', namespace: 'demo' } });
  const { metadata } = await client.list(configMaps, { shape: 'metadata' });
  let failures = 2;
  client.fault = ({ resource }) => {
    if (resource?.plural !== 'secrets' || failures === 0) {
      return undefined;
    }
    failures -= 1;
    return { before: new ApiError(503, 'ServerError') };
  };
  const noted: string[] = [];
  const sources = {
    noteReadVersion: (version: string): void => {
      noted.push(version);
    },
  };
  const done = notePresentVersion(sources, {
    client,
    clock,
    random: () => 0,
    signal: new AbortController().signal,
  });
  expect(noted).toEqual([]);
  await clock.advance(20_000);
  await done;
  expect(noted).toEqual([metadata.resourceVersion, metadata.resourceVersion]);
});

import { beforeEach, expect, it } from 'vitest';
import type { EventNote } from '../../../../controller/events/recorder.ts';
import { HeldDeletions } from '../../../../controller/observe/held-deletions.ts';
import { SyncNotice } from '../../../../controller/observe/sync-notice.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { keys } from '../arbitraries.ts';

let told: string[];
const events = {
  record: ({ object, reason, message }: EventNote): void => {
    told.push(`${object.kind} ${object.namespace}/${object.name} ${object.uid} ${reason}: ${message}`);
  },
};

beforeEach(() => {
  told = [];
});

it('a source gets an Event about held deletions with the name of the trip, once an hour', async () => {
  const clock = new ManualClock();
  const held = new HeldDeletions({ events, clock });
  const origin = { namespace: 'demo', name: 'omni', uid: 'u', resourceVersion: '1' };
  held.report('Secret', origin, 'k3f9x2');
  held.report('Secret', origin, 'k3f9x2');
  held.report('ConfigMap', origin, 'k3f9x2');
  expect(told).toEqual([
    expect.stringMatching(/^Secret demo\/omni u DeletionHeld: .*\(trip k3f9x2\)/),
    expect.stringMatching(/^ConfigMap /),
  ]);
  await clock.advance(60 * 60_000);
  held.report('Secret', origin, 'k3f9x2');
  expect(told).toHaveLength(3);
});

it('an object gets one Event that copies within the cluster are not made', () => {
  const notice = new SyncNotice({ keys, events });
  const object = (uid: string, annotations: Readonly<Record<string, string>>) => ({
    metadata: { namespace: 'demo', name: 'omni', uid, annotations },
  });
  notice.see('ConfigMap', object('a', { [keys.syncContexts]: 'c1' }));
  for (const uid of ['a', 'a', 'b']) {
    notice.see('ConfigMap', object(uid, { [keys.sync]: '' }));
  }
  expect(told).toEqual([
    expect.stringContaining('ConfigMap demo/omni a SyncIgnored'),
    expect.stringContaining('ConfigMap demo/omni b SyncIgnored'),
  ]);
});

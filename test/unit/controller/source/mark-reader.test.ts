import { beforeEach, describe, expect, it } from 'vitest';
import { MarkReader } from '../../../../controller/source/mark-reader.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

let clock: ManualClock;
let requests: PromiseWithResolvers<void>[];
let mark: MarkReader;

beforeEach(() => {
  clock = new ManualClock();
  requests = [];
  mark = new MarkReader(clock, () => {
    const request = Promise.withResolvers<void>();
    requests.push(request);
    return request.promise;
  });
});

describe('the mark of the source', () => {
  it('is read once for callers that arrive while it is being read, and all of them wait for the answer', async () => {
    const ended: string[] = [];
    const first = mark.read().then(() => ended.push('first'));
    const second = mark.read().then(() => ended.push('second'));
    await clock.advance(100);
    expect(ended).toEqual([]);
    requests[0]?.resolve();
    await Promise.all([first, second]);
    expect(requests).toHaveLength(1);
  });

  it('is read again half a second later', async () => {
    const first = mark.read();
    requests[0]?.resolve();
    await first;
    await clock.advance(499);
    await mark.read();
    expect(requests).toHaveLength(1);
    await clock.advance(1);
    void mark.read();
    expect(requests).toHaveLength(2);
  });

  it('is read again at once after a reading that failed, and all that waited for it get the error', async () => {
    const failed = [mark.read(), mark.read()].map((reading) => expect(reading).rejects.toThrow('no answer'));
    requests[0]?.reject(new Error('no answer'));
    await Promise.all(failed);
    void mark.read();
    expect(requests).toHaveLength(2);
  });
});

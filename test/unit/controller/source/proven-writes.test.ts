import { beforeEach, describe, expect, it } from 'vitest';
import { OtherClusterError } from '../../../../controller/source/identity-check.ts';
import { provenWrites } from '../../../../controller/source/proven-writes.ts';
import { isApiError } from '../../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../../shared/kube/object.ts';
import { leases } from '../../../../shared/kube/resource.ts';
import { anObject, FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const lease = anObject(leases, 'own', 'lease');

let source: FakeApi;
let other: FakeApi;
/** Where the address leads. */
let place: FakeApi;
let questions: number;
let writes: ReturnType<typeof provenWrites>;

beforeEach(() => {
  const clock = new ManualClock();
  [source, other] = [new FakeApi(clock), new FakeApi(clock)];
  // Two fresh servers would give out the same uids.
  other.put(leases, anObject(leases, 'own', 'another'));
  [place, questions] = [source, 0];
  writes = provenWrites(
    {
      create: (...request) => place.create(...request),
      update: (...request) => place.update(...request),
    },
    () => {
      questions += 1;
      return place === source ? Promise.resolve() : Promise.reject(new OtherClusterError());
    },
  );
});

describe('writes to the source cluster', () => {
  it('create nothing in another cluster at its address', async () => {
    place = other;
    await expect(writes.create(leases, lease)).rejects.toThrow(OtherClusterError);
    expect(other.peek(leases, 'own', 'lease')).toBeUndefined();
    place = source;
    await writes.create(leases, lease);
    expect(source.peek(leases, 'own', 'lease')).toBeDefined();
  });

  it('do not change what was read from another cluster at its address', async () => {
    source.put(leases, lease);
    const foreign = other.put(leases, lease);
    await writes.update(leases, storedLease(source));
    place = other;
    await expect(writes.update(leases, storedLease(other))).rejects.toThrow(OtherClusterError);
    expect(storedLease(other)).toEqual(foreign);
  });

  it('ask once who the cluster is for an object that is written again and again, since its uid says it', async () => {
    source.put(leases, lease);
    other.put(leases, lease);
    for (let time = 0; time < 3; time += 1) {
      await writes.update(leases, storedLease(source));
    }
    expect(questions).toBe(1);
    const held = storedLease(source);
    place = other;
    await expect(writes.update(leases, held)).rejects.toSatisfy((error) => isApiError(error, 'Conflict'));
    expect(questions).toBe(1);
    source.drop(leases, 'own', 'lease');
    source.put(leases, lease);
    place = source;
    await writes.update(leases, storedLease(source));
    expect(questions).toBe(2);
  });

  it('ask again where the question had no answer', async () => {
    source.put(leases, lease);
    place = other;
    await expect(writes.update(leases, storedLease(source))).rejects.toThrow(OtherClusterError);
    place = source;
    await writes.update(leases, storedLease(source));
    expect(questions).toBe(2);
  });
});

function storedLease(api: FakeApi): KubeObject {
  const stored = api.peek(leases, 'own', 'lease');
  if (stored === undefined) {
    throw new Error('there is no Lease');
  }
  return stored;
}

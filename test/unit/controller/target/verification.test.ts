import { expect, it } from 'vitest';
import type { LinkState } from '../../../../controller/contexts/context-link.ts';
import { Verification, type VerifiedScope } from '../../../../controller/target/verification.ts';
import type { ListOptions } from '../../../../shared/kube/client.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import type { KubeObject, PayloadObject } from '../../../../shared/kube/object.ts';
import { configMaps, type Resource } from '../../../../shared/kube/resource.ts';
import { anObject, FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const never = new AbortController().signal;

/** A cluster whose copies are verified. */
class Cluster {
  readonly api: FakeApi;
  readonly verified: string[] = [];
  readonly link: VerifiedScope['link'] & { state: LinkState };
  suspicions = 0;

  constructor(clock: ManualClock) {
    this.api = new FakeApi(clock);
    const suspect = (): void => {
      this.suspicions += 1;
    };
    this.link = { client: this.api, state: 'up', suspect };
  }

  put(count: number, content: (index: number) => Partial<PayloadObject> = () => ({})): void {
    for (let index = 0; index < count; index += 1) {
      this.api.put<PayloadObject>(configMaps, {
        ...anObject(configMaps, 'demo', `s${String(index).padStart(4, '0')}`, { labels: { copy: 'yes' } }),
        ...content(index),
      });
    }
  }

  scope(): VerifiedScope {
    return {
      link: this.link,
      resource: configMaps,
      namespace: undefined,
      labelSelector: 'copy',
      onObject: ({ metadata }) => {
        this.verified.push(metadata.name);
      },
    };
  }
}

it('is not held up by clusters that are down, and goes on with them when they are back', async () => {
  const clock = new ManualClock();
  const verification = new Verification(clock, () => 0.5);
  const silent = Array.from({ length: 20 }, () => new Cluster(clock));
  const healthy = new Cluster(clock);
  for (const cluster of [...silent, healthy]) {
    cluster.put(1);
    if (cluster !== healthy) {
      cluster.api.fault = () => ({ before: new TransportError('Timeout', true, ''), delayMs: 10_000 });
      cluster.link.suspect = () => {
        cluster.link.state = 'down';
      };
    }
  }
  const runs = silent.slice(0, 2).map((cluster) => verification.run(cluster.scope(), never));
  await clock.advance(1);
  runs.push(...silent.slice(2).map((cluster) => verification.run(cluster.scope(), never)));
  for (const { link } of silent.slice(2)) {
    link.state = 'down';
  }
  runs.push(verification.run(healthy.scope(), never));
  await clock.advance(10_000);
  expect(healthy.verified).toEqual(['s0000']);
  const requests = silent.map(({ api }) => api.calls.length);
  await clock.advance(600_000);
  expect(silent.map(({ api }) => api.calls.length)).toEqual(requests);
  for (const { api, link } of silent) {
    api.fault = () => undefined;
    link.state = 'up';
  }
  await clock.advance(60_000);
  expect(await Promise.all(runs)).toEqual(runs.map(() => true));
  expect(silent.map(({ verified }) => verified)).toEqual(silent.map(() => ['s0000']));
});

it.each([
  new TransportError('Timeout', true, ''),
  new TransportError('ConnectionReset', true, ''),
  new TransportError('Other', true, 'the answer is too large'),
  new ApiError(500, 'ServerError'),
])('asks for smaller pages after %s', async (error) => {
  const clock = new ManualClock();
  const cluster = new Cluster(clock);
  cluster.put(50);
  const limits: (number | undefined)[] = [];
  const list = cluster.api.list.bind(cluster.api);
  cluster.api.list = async (resource, options) => {
    limits.push(options.limit);
    if (options.limit !== undefined && options.limit > 5) {
      throw error;
    }
    return await list(resource, options);
  };
  const run = new Verification(clock, () => 0.5).run(cluster.scope(), never);
  await clock.advance(3_600_000);
  expect(await run).toBe(true);
  expect(limits.slice(0, 3)).toEqual([20, 10, 5]);
  expect(cluster.verified).toHaveLength(50);
});

it('keeps pages small where keys and labels are what is large', async () => {
  const clock = new ManualClock();
  const cluster = new Cluster(clock);
  const keys = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, index) => [`${index}`.padEnd(200, 'k'), '']),
  );
  cluster.put(100, () => ({ data: keys }));
  let largest = 0;
  const list = cluster.api.list.bind(cluster.api);
  cluster.api.list = async <T extends KubeObject>(resource: Resource, options: ListOptions) => {
    const page = await list<T>(resource, options);
    largest = Math.max(largest, options.continue === undefined ? 0 : JSON.stringify(page).length);
    return page;
  };
  const run = new Verification(clock, () => 0.5).run(cluster.scope(), never);
  await clock.advance(1_000);
  expect(await run).toBe(true);
  expect(largest).toBeLessThan(3 * 1024 * 1024);
});

it('ends at once when it is stopped, also while others have the turns', async () => {
  const clock = new ManualClock();
  const verification = new Verification(clock, () => 0.5);
  const slow = [new Cluster(clock), new Cluster(clock)];
  for (const cluster of slow) {
    cluster.put(1);
    cluster.api.fault = () => ({ delayMs: 9_000 });
    void verification.run(cluster.scope(), never);
  }
  const stop = new AbortController();
  const waiting = new Cluster(clock);
  const ended = verification.run(waiting.scope(), stop.signal);
  await clock.advance(1);
  stop.abort();
  expect(await ended).toBe(false);
  expect(slow.map(({ verified }) => verified)).toEqual([[], []]);
  const next = new Cluster(clock);
  next.put(1);
  void verification.run(next.scope(), never);
  await clock.advance(10_000);
  expect([...slow, next].map(({ verified }) => verified)).toEqual([['s0000'], ['s0000'], ['s0000']]);
});

import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, TransportError } from '../../../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../../../shared/kube/object.ts';
import { Reflector, type ReflectorOptions } from '../../../../../shared/kube/reflector/reflector.ts';
import { configMaps } from '../../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../../shared/logger.ts';
import { anObject, FakeApi } from '../../../fakes/fake-api.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { MirrorHandler } from './mirror.ts';

const reset = new TransportError('ConnectionReset', true, '');

let clock: ManualClock;
let api: FakeApi;
let mirror: MirrorHandler;
let stop: AbortController;
let running: Promise<void>;

function start(
  options: Partial<ReflectorOptions<KubeObject, KubeObject>> = {},
): Reflector<KubeObject, KubeObject> {
  const reflector = new Reflector<KubeObject, KubeObject>({
    client: api,
    resource: configMaps,
    firstListShape: 'full',
    shape: 'metadata',
    pageSize: 2,
    clock,
    random: () => 0.5,
    logger: silentLogger,
    handler: mirror,
    ...options,
  });
  running = reflector.run(stop.signal);
  return reflector;
}

/** What a confirmation was asked for, and what it says; the last answer stays. */
function confirming(...answers: readonly (Error | undefined)[]): {
  asked: (string | undefined)[];
  confirm: (position: string | undefined) => Promise<void>;
} {
  const asked: (string | undefined)[] = [];
  return {
    asked,
    confirm: (position) => {
      const error = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(position);
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    },
  };
}

function fill(count: number): void {
  for (let index = 0; index < count; index += 1)
    api.put(configMaps, anObject(configMaps, 'demo', `map-${index}`));
}

function lists(): number {
  return api.calls.filter((call) => call.verb === 'list' && call.continue === undefined).length;
}

function watches(): number {
  return api.calls.filter((call) => call.verb === 'watch').length;
}

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  mirror = new MirrorHandler();
  stop = new AbortController();
  running = Promise.resolve();
});

afterEach(async () => {
  stop.abort();
  await running;
});

describe('listing', () => {
  it('delivers all pages as one list, the first in its own shape, and watches in the other', async () => {
    fill(5);
    const reflector = start();
    await clock.until(() => reflector.synced);
    expect(mirror.lists).toEqual([{ size: 5, first: true }]);
    expect(api.calls.map(({ verb, shape }) => `${verb} ${shape}`)).toEqual([
      'list full',
      'list full',
      'list full',
      'watch metadata',
    ]);
    expect(mirror.names()).toEqual(['map-0', 'map-1', 'map-2', 'map-3', 'map-4']);
  });

  it('delivers an empty metadata list, whose items are null', async () => {
    const reflector = start({ firstListShape: 'metadata' });
    await clock.until(() => reflector.synced);
    expect(mirror.lists).toEqual([{ size: 0, first: true }]);
  });

  it('keeps only what the handler projects', async () => {
    fill(5);
    mirror.keep = (object) => object.metadata.name !== 'map-3';
    const reflector = start();
    await clock.until(() => reflector.synced);
    expect(mirror.names()).toEqual(['map-0', 'map-1', 'map-2', 'map-4']);
  });

  it('starts over when a continue token has expired, and never shows the partial list', async () => {
    fill(5);
    let compacted = false;
    api.fault = (call) => {
      if (call.continue !== undefined && !compacted) {
        compacted = true;
        api.drop(configMaps, 'demo', 'map-0');
        api.compact();
      }
      return undefined;
    };
    const reflector = start();
    await clock.until(() => reflector.synced);
    expect(mirror.lists).toEqual([{ size: 4, first: true }]);
    expect(mirror.failures).toEqual(['list Gone']);
    expect(lists()).toBe(2);
  });

  it('watches from the version of the first page, so that changes behind the pages read are seen', async () => {
    fill(3);
    api.freshPages = true;
    const before = api.save().version;
    api.fault = (call) => {
      if (call.continue !== undefined) api.put(configMaps, anObject(configMaps, 'demo', 'a-late-one'));
      return undefined;
    };
    start();
    await clock.until(() => mirror.has('a-late-one'));
    expect(api.calls.find((call) => call.verb === 'watch')?.resourceVersion).toBe(String(before));
  });

  it('refuses a list without a version to start a watch from', async () => {
    const list = api.list.bind(api);
    const versions = ['', '0'];
    api.list = async (resource, options) => {
      const page = await list<never>(resource, options);
      const resourceVersion = versions.shift() ?? page.metadata.resourceVersion ?? '';
      return { ...page, metadata: { ...page.metadata, resourceVersion } };
    };
    const reflector = start();
    await clock.until(() => reflector.synced);
    expect(mirror.failures).toEqual(['list MalformedAnswer', 'list MalformedAnswer']);
  });

  it('does not claim to be synced while the first list fails', async () => {
    api.failNext('list', reset, 3);
    const reflector = start();
    await clock.until(() => mirror.failures.length === 2);
    expect(reflector.synced).toBe(false);
    expect(reflector.lastContact).toBeUndefined();
    await clock.until(() => reflector.synced);
  });
});

describe('watching', () => {
  it('shows what is created, changed and deleted', async () => {
    fill(2);
    const reflector = start();
    await clock.until(() => reflector.synced);
    api.put(configMaps, anObject(configMaps, 'demo', 'new'));
    api.put(configMaps, anObject(configMaps, 'demo', 'map-0', { labels: { changed: 'yes' } }));
    api.drop(configMaps, 'demo', 'map-1');
    await clock.advance(0);
    expect(mirror.events).toEqual(['ADDED new', 'MODIFIED map-0', 'DELETED map-1']);
    expect(mirror.names()).toEqual(['map-0', 'new']);
  });

  it('resumes from the last version seen after a cut stream, without a list', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    fill(1);
    await clock.advance(0);
    api.endWatches(reset);
    api.put(configMaps, anObject(configMaps, 'demo', 'meanwhile'));
    await clock.until(() => mirror.has('meanwhile'));
    expect(mirror.failures).toEqual(['watch ConnectionReset']);
    expect(lists()).toBe(1);
    expect(mirror.events).toEqual(['ADDED map-0', 'ADDED meanwhile']);
  });

  it('resumes from a bookmark, so that compacted history of others does not matter', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    for (let index = 0; index < 5; index += 1)
      api.put({ ...configMaps, plural: 'others' }, anObject(configMaps, 'a', `${index}`));
    api.bookmark();
    await clock.advance(0);
    api.compact();
    api.endWatches(reset);
    await clock.until(() => watches() === 2);
    await clock.advance(1_000);
    expect(lists()).toBe(1);
    expect(api.openWatches).toBe(1);
  });

  it('lists again when history is gone, in the later shape and not as the first', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    api.endWatches(reset);
    fill(3);
    api.compact();
    await clock.until(() => mirror.lists.length === 2);
    expect(mirror.failures).toEqual(['watch ConnectionReset', 'watch Gone']);
    expect(mirror.lists[1]).toEqual({ size: 3, first: false });
    expect(api.calls.findLast((call) => call.verb === 'list')?.shape).toBe('metadata');
  });

  it('lists again when the stream itself says Gone', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    api.endWatches(new ApiError(410, 'Gone'));
    await clock.until(() => mirror.lists.length === 2);
    expect(mirror.failures).toEqual(['watch Gone']);
  });

  it('resumes at once when the server ends the watch in good order', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    await clock.advance(30_000);
    api.endWatches();
    await clock.advance(0);
    expect(watches()).toBe(2);
    expect(mirror.failures).toEqual([]);
  });

  it('asks for 5 to 10 minutes, and outlives quiet hours on bookmarks alone', async () => {
    const reflector = start({ random: () => 0 });
    await clock.until(() => reflector.synced);
    await clock.advance(3_599_000);
    expect(watches()).toBe(12);
    expect(getEventListeners(stop.signal, 'abort').length).toBeLessThan(4);
    expect(lists()).toBe(1);
    expect(mirror.failures).toEqual([]);
    expect(clock.monotonic() - (reflector.lastContact ?? 0)).toBeLessThanOrEqual(60_000);
  });

  it('backs off from a server that ends every watch at once', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    const watch = api.watch.bind(api);
    api.watch = async (resource, options) => {
      const stream = await watch<never>(resource, options);
      api.endWatches();
      return stream;
    };
    api.endWatches();
    await clock.advance(60_000);
    expect(watches()).toBeLessThan(20);
    expect(watches()).toBeGreaterThan(5);
    expect(lists()).toBe(1);
  });

  it('notices silence, and lists again when resuming meets silence too', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    api.silent = true;
    await clock.until(() => mirror.lists.length === 2);
    expect(mirror.failures).toEqual(['watch Timeout', 'watch Timeout']);
  });

  it('resumes without a list after an outage in which nothing could be reached', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    api.failNext('watch', new TransportError('Timeout', false, ''), 5);
    api.endWatches(reset);
    await clock.until(() => api.openWatches === 1);
    expect(lists()).toBe(1);
  });

  it('lists again after a restored backup, where versions went back', async () => {
    const backup = api.save();
    fill(4);
    const reflector = start();
    await clock.until(() => reflector.synced);
    api.restore(backup);
    await clock.until(() => mirror.names().length === 0);
    expect(mirror.lists.at(-1)).toEqual({ size: 0, first: false });
  });
});

describe('retrying', () => {
  it('waits longer and longer, up to 10 s, and starts small again after progress', async () => {
    const reflector = start({ random: () => 1 - Number.EPSILON });
    await clock.until(() => reflector.synced);
    const at: number[] = [];
    api.fault = (call) => {
      if (call.verb !== 'watch') return undefined;
      at.push(clock.monotonic());
      return { before: reset };
    };
    const cut = clock.monotonic();
    api.endWatches(reset);
    await clock.until(() => at.length === 8);
    const gaps = at.map((time, index) => Math.round(time - (at[index - 1] ?? cut)));
    expect(gaps).toEqual([300, 600, 1_200, 2_400, 4_800, 9_600, 10_000, 10_000]);

    api.fault = () => undefined;
    await clock.until(() => api.openWatches === 1);
    fill(1);
    await clock.advance(0);
    const again = clock.monotonic();
    api.endWatches(reset);
    await clock.until(() => api.openWatches === 1);
    expect(Math.round(clock.monotonic() - again)).toBe(300);
  });

  it('waits up to 2 min where rights are missing, and lists within that when they are granted', async () => {
    const at: number[] = [];
    api.fault = ({ verb }) => {
      if (verb !== 'list') return undefined;
      at.push(clock.monotonic());
      return { before: new ApiError(403, 'Forbidden') };
    };
    const reflector = start({ random: () => 1 - Number.EPSILON });
    await clock.advance(30 * 60_000);
    const gaps = at.slice(1).map((time, index) => Math.round(time - (at[index] ?? 0)));
    expect(gaps.slice(0, 3)).toEqual([300, 600, 1_200]);
    expect(gaps.slice(-10)).toEqual(Array(10).fill(120_000));

    api.fault = () => undefined;
    await clock.advance(120_000);
    expect(reflector.synced).toBe(true);
  });

  it('backs off from a server whose every watch is Gone', async () => {
    api.failNext('watch', new ApiError(410, 'Gone'), 1_000);
    start();
    await clock.advance(60_000);
    expect(lists()).toBeLessThan(20);
  });

  it('waits as long as the server asks, within a minute', async () => {
    api.failNext('list', new ApiError(429, 'TooManyRequests', { retryAfterMs: 20_000 }));
    const reflector = start();
    await clock.advance(20_000);
    expect(reflector.synced).toBe(false);
    await clock.advance(500);
    expect(reflector.synced).toBe(true);
  });

  it('tries at once when woken', async () => {
    api.failNext('list', reset, 10);
    const reflector = start();
    await clock.until(() => mirror.failures.length === 8);
    api.fault = () => undefined;
    const at = clock.monotonic();
    reflector.wake();
    await clock.advance(0);
    expect(reflector.synced).toBe(true);
    expect(clock.monotonic()).toBe(at);
  });
});

describe('pages that do not arrive in time', () => {
  it('become smaller until a list comes to its end, and then larger again', async () => {
    fill(120);
    const sizes: (number | undefined)[] = [];
    const list = api.list.bind(api);
    api.list = async <T extends KubeObject>(...[resource, options]: Parameters<FakeApi['list']>) => {
      sizes.push(options.limit);
      if ((options.limit ?? 0) > 70) {
        throw new TransportError('Timeout', true, '');
      }
      return await list<T>(resource, options);
    };
    const reflector = start({ pageSize: undefined });
    await clock.until(() => mirror.names().length === 120);
    expect(sizes).toEqual([500, 250, 125, 62, 62]);
    sizes.length = 0;
    reflector.relist();
    await clock.until(() => mirror.lists.length === 2);
    expect(sizes).toEqual([124, 62, 62]);
  });

  it('keep their size where connections are refused', async () => {
    fill(3);
    api.failNext('list', new TransportError('ConnectionRefused', false, ''), 3);
    const list = vi.spyOn(api, 'list');
    start({ pageSize: undefined });
    await clock.until(() => mirror.names().length === 3);
    expect(list.mock.lastCall?.[1].limit).toBe(500);
  });
});

describe('relist', () => {
  it('ends the running watch for a new list', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    reflector.relist();
    await clock.advance(0);
    expect(mirror.lists).toHaveLength(2);
    expect(mirror.failures).toEqual([]);
    expect(api.openWatches).toBe(1);
  });

  it('drops what the old watch still sends', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    api.silent = true;
    fill(3);
    api.silent = false;
    mirror.onEvent = () => reflector.relist();
    api.bookmark();
    await clock.advance(0);
    expect(mirror.events).toEqual(['ADDED map-0']);
    expect(mirror.lists[1]).toEqual({ size: 3, first: false });
  });

  it('lists once more when asked while a list is under way', async () => {
    fill(5);
    api.fault = (call) => (call.verb === 'list' ? { answerDelayMs: 1_000 } : undefined);
    const reflector = start();
    await clock.advance(1_500);
    reflector.relist();
    await clock.until(() => watches() === 1);
    expect(mirror.lists).toHaveLength(2);
  });
});

describe('a handler that throws', () => {
  it('causes a new list, with a growing back-off', async () => {
    const reflector = start();
    await clock.until(() => reflector.synced);
    mirror.explodeOn = 'event';
    fill(1);
    await clock.until(() => mirror.lists.length === 2);
    expect(mirror.names()).toEqual(['map-0']);
    mirror.explodeOn = 'replaced';
    reflector.relist();
    const before = lists();
    await clock.advance(60_000);
    expect(lists() - before).toBeLessThan(20);
    mirror.explodeOn = undefined;
    await clock.until(() => mirror.lists.length === 3);
  });

  it('does not stop the reflector, whichever method it is', async () => {
    fill(1);
    mirror.explodeOn = 'project';
    const reflector = start();
    await clock.advance(5_000);
    expect(reflector.synced).toBe(false);
    mirror.explodeOn = 'failed';
    api.failNext('list', reset, 3);
    await clock.until(() => reflector.synced);
  });
});

describe('stopping', () => {
  it('ends while a list hangs, while it backs off, and while it watches', async () => {
    api.fault = () => ({ answerDelayMs: 1e9 });
    start();
    await clock.advance(1_000);
    stop.abort();
    await running;

    stop = new AbortController();
    api.fault = () => ({ before: reset });
    start();
    await clock.advance(1_000);
    stop.abort();
    await running;

    stop = new AbortController();
    api.fault = () => undefined;
    const reflector = start();
    await clock.until(() => reflector.synced);
    stop.abort();
    await running;
    expect(clock.waiting).toBe(0);
  });
});

describe('an answer that must be confirmed', () => {
  it('is handed on only after it was: a list, and every event of a watch', async () => {
    fill(1);
    const refused = new Error('another server');
    const { asked, confirm } = confirming(refused, undefined, refused, undefined);
    start({ confirm });
    await clock.until(() => asked.length === 1);
    expect([mirror.lists, mirror.failures.length]).toEqual([[], 1]);
    await clock.until(() => asked.length === 3);
    expect(mirror.lists).toHaveLength(1);
    api.put(configMaps, anObject(configMaps, 'demo', 'new'));
    await clock.advance(0);
    expect([mirror.events, mirror.failures.length]).toEqual([[], 2]);
    await clock.until(() => mirror.events.length === 1);
    expect([watches(), asked[0], asked[1], asked[2] === asked[3]]).toEqual([2, undefined, undefined, true]);
  });

  it('is listed again where the confirmation says that the position is gone', async () => {
    fill(1);
    const { asked, confirm } = confirming(undefined, new ApiError(410, 'Gone'), undefined);
    start({ confirm });
    await clock.until(() => asked.length === 4);
    expect(mirror.lists).toHaveLength(2);
  });
});

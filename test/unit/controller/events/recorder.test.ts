import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventNote, KubeEvent } from '../../../../controller/events/record.ts';
import {
  createEventRecorder,
  type EventRecorder,
  type EventRecorderOptions,
} from '../../../../controller/events/recorder.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { events } from '../../../../shared/kube/resource.ts';
import { type LogFields, type Logger, silentLogger } from '../../../../shared/logger.ts';
import { FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const reset = new TransportError('ConnectionReset', true, '');

let clock: ManualClock;
let api: FakeApi;
let stop: AbortController;
let running: Promise<void>;
let lines: { message: string; reason: LogFields[string] }[];

function recorder(options: Partial<EventRecorderOptions> = {}): EventRecorder {
  const note = (message: string, fields?: LogFields): void => {
    lines.push({ message, reason: fields?.['reason'] });
  };
  const logger: Logger = { ...silentLogger, info: note, warn: note };
  let seed = 0;
  const random = (): number => {
    seed = (seed * 16_807 + 1) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  return createEventRecorder({
    client: api,
    component: 'context-syncer',
    instance: 'pod-1',
    clock,
    random,
    logger,
    ...options,
  });
}

function started(options: Partial<EventRecorderOptions> = {}): EventRecorder {
  const made = recorder(options);
  running = made.run(stop.signal);
  return made;
}

function note(change: Partial<EventNote> = {}, name = 'omni'): EventNote {
  return {
    object: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'demo', name, uid: `uid-of-${name}` },
    type: 'Warning',
    reason: 'UnknownContext',
    message: 'context "prod-7" is not in the kubeconfig',
    ...change,
  };
}

function stored(): KubeEvent[] {
  return api.objects<KubeEvent>(events);
}

function calls(verb: string): number {
  return api.calls.filter((call) => call.verb === verb).length;
}

beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  api = new FakeApi(clock);
  stop = new AbortController();
  running = Promise.resolve();
  lines = [];
});

afterEach(async () => {
  stop.abort();
  await clock.advance(60_000);
  await running;
});

describe('one Event', () => {
  it('is a core Event in the namespace of its object', async () => {
    const recording = started();
    recording.record(note({ object: { ...note().object, resourceVersion: '7' } }));
    await clock.advance(0);
    expect(stored()).toMatchObject([
      {
        metadata: { namespace: 'demo' },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          namespace: 'demo',
          name: 'omni',
          uid: 'uid-of-omni',
          resourceVersion: '7',
        },
        type: 'Warning',
        reason: 'UnknownContext',
        message: 'context "prod-7" is not in the kubeconfig',
        source: { component: 'context-syncer', host: 'pod-1' },
        reportingComponent: 'context-syncer',
        reportingInstance: 'pod-1',
        firstTimestamp: '2026-01-01T12:00:00Z',
        lastTimestamp: '2026-01-01T12:00:00Z',
        count: 1,
      },
    ]);
    expect(stored()[0]?.metadata.name).toMatch(/^omni\.[0-9a-f]{16}$/);
  });

  it('is counted up when the same is said again', async () => {
    const recording = started();
    recording.record(note());
    await clock.advance(90_000);
    recording.record(note());
    recording.record(note());
    await clock.advance(0);
    expect(stored()).toMatchObject([
      { count: 3, firstTimestamp: '2026-01-01T12:00:00Z', lastTimestamp: '2026-01-01T12:01:30Z' },
    ]);
    expect([calls('create'), calls('patch')]).toEqual([1, 1]);
  });

  it('is created again when the old one has expired', async () => {
    const recording = started();
    recording.record(note());
    await clock.advance(0);
    api.drop(events, 'demo', stored()[0]?.metadata.name ?? '');
    recording.record(note());
    await clock.advance(0);
    expect(stored()).toMatchObject([{ count: 1 }]);
    recording.record(note());
    await clock.advance(0);
    expect(stored()).toMatchObject([{ count: 2 }]);
  });

  it('is another one for another reason, message, type or object', async () => {
    const recording = started();
    recording.record(note());
    recording.record(note({ reason: 'Refused' }));
    recording.record(note({ message: 'other' }));
    recording.record(note({ type: 'Normal' }));
    recording.record(note({}, 'other'));
    await clock.advance(0);
    expect(stored().map((event) => event.count)).toEqual([1, 1, 1, 1, 1]);
  });

  it('is not created twice when the answer to the first attempt was lost', async () => {
    const recording = started();
    let first = true;
    api.fault = () => {
      const fault = first ? { after: reset } : undefined;
      first = false;
      return fault;
    };
    recording.record(note());
    await clock.advance(5_000);
    recording.record(note());
    await clock.advance(0);
    expect(stored()).toMatchObject([{ count: 2 }]);
    expect(recording.dropped).toBe(0);
  });
});

describe('limits', () => {
  it('lets 10 Events of one object pass at once, then one in 30 s', async () => {
    const recording = started();
    for (let index = 0; index < 15; index += 1) recording.record(note({ message: `${index}` }));
    await clock.advance(0);
    expect(stored()).toHaveLength(10);
    expect(recording.dropped).toBe(5);
    await clock.advance(30_000);
    recording.record(note({ message: 'late' }));
    recording.record(note({ message: 'too many' }));
    await clock.advance(0);
    expect(stored()).toHaveLength(11);
  });

  it('sends 50 at once, then 10 a second', async () => {
    const recording = started();
    for (let index = 0; index < 100; index += 1) recording.record(note({}, `map-${index}`));
    await clock.advance(0);
    expect(stored()).toHaveLength(50);
    await clock.advance(1_000);
    expect(stored()).toHaveLength(60);
    await clock.advance(60_000);
    expect(stored()).toHaveLength(100);
    expect(recording.dropped).toBe(0);
  });

  it('drops the oldest when the queue is full, and counts', async () => {
    const recording = recorder({ queueLimit: 3 });
    for (let index = 0; index < 5; index += 1) recording.record(note({}, `map-${index}`));
    expect(recording.dropped).toBe(2);
    running = recording.run(stop.signal);
    await clock.advance(0);
    expect(stored().map((event) => event.involvedObject['name'])).toEqual(['map-2', 'map-3', 'map-4']);
  });

  it('counts what is said again while it waits, without a place in the queue or a token', async () => {
    const recording = recorder();
    for (let index = 0; index < 500; index += 1) recording.record(note());
    running = recording.run(stop.signal);
    await clock.advance(0);
    expect(stored()).toMatchObject([{ count: 500 }]);
    expect(recording.dropped).toBe(0);
  });

  it('forgets what was said longest ago', async () => {
    const recording = started({ memoryLimit: 2 });
    for (const name of ['a', 'b', 'a', 'c']) {
      recording.record(note({}, name));
      await clock.advance(0);
    }
    recording.record(note({}, 'a'));
    recording.record(note({}, 'b'));
    await clock.advance(0);
    expect(
      stored()
        .map((event) => `${event.involvedObject['name']} ${event.count}`)
        .sort(),
    ).toEqual(['a 3', 'b 1', 'b 1', 'c 1']);
  });
});

describe('failures', () => {
  it('are retried a few times, and logged when they begin and end', async () => {
    const recording = started();
    api.failNext('create', reset, 2);
    recording.record(note());
    await clock.advance(10_000);
    expect(stored()).toHaveLength(1);
    expect(lines).toEqual([
      { message: 'events cannot be written', reason: 'ConnectionReset' },
      { message: 'events are written again', reason: undefined },
    ]);
  });

  it('end in dropping, so that one Event does not hold up the others for good', async () => {
    const recording = started();
    api.failNext('create', reset, 3);
    recording.record(note());
    recording.record(note({}, 'other'));
    await clock.advance(60_000);
    expect(stored().map((event) => event.involvedObject['name'])).toEqual(['other']);
    expect(recording.dropped).toBe(1);
  });

  it('are not retried where the API server refuses for good', async () => {
    const recording = started();
    api.fault = () => ({ before: new ApiError(403, 'Forbidden') });
    recording.record(note());
    recording.record(note({}, 'other'));
    await clock.advance(60_000);
    expect(calls('create')).toBe(2);
    expect(lines).toEqual([{ message: 'events cannot be written', reason: 'Forbidden' }]);
    expect(recording.dropped).toBe(2);
  });
});

describe('ending', () => {
  it('sends what is left', async () => {
    const recording = started();
    recording.record(note());
    recording.record(note({}, 'other'));
    stop.abort();
    await clock.advance(0);
    await running;
    expect(stored()).toHaveLength(2);
    expect(clock.waiting).toBe(0);
    recording.record(note({}, 'late'));
    expect(recording.dropped).toBe(1);
  });

  it('gives up after two seconds', async () => {
    const recording = started();
    api.fault = () => ({ answerDelayMs: 1e9 });
    recording.record(note());
    recording.record(note({}, 'other'));
    await clock.advance(0);
    stop.abort();
    let ended = false;
    void running.then(() => (ended = true));
    await clock.advance(1_999);
    expect(ended).toBe(false);
    await clock.advance(1);
    expect(ended).toBe(true);
    expect(recording.dropped).toBe(2);
  });
});

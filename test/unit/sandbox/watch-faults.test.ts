import { expect, test } from 'vitest';
import { expired, faultyFrames, type WatchFaults } from '../../sandbox/network/watch-faults.ts';

const none: WatchFaults = {
  delayMs: () => 0,
  repeats: () => false,
  drops: () => false,
  open: () => Promise.resolve(),
};

test('frames pass in their order, also when some are held back', async () => {
  const delays = [20, 0, 10];
  expect(await passed(['a\n', 'b\n', 'c\n'], { ...none, delayMs: () => delays.shift() ?? 0 })).toEqual([
    'a\n',
    'b\n',
    'c\n',
  ]);
});

test('frames arrive twice', async () => {
  expect(await passed(['a\n', 'b\n'], { ...none, repeats: () => true })).toEqual([
    'a\n',
    'a\n',
    'b\n',
    'b\n',
  ]);
});

test('a watch that lost a frame shows none that came later, and ends with 410 when the fault is over', async () => {
  let drops = false;
  const frames = (async function* () {
    yield 'a\n';
    drops = true;
    await Promise.resolve();
    yield 'lost\n';
    drops = false;
    yield 'later\n';
  })();
  expect(await collect(faultyFrames(frames, { ...none, drops: () => drops }, signal()))).toEqual([
    'a\n',
    expired,
  ]);
});

test('it ends with its signal', async () => {
  const controller = new AbortController();
  const frames = (async function* () {
    yield 'a\n';
    controller.abort();
    yield 'b\n';
  })();
  expect(await collect(faultyFrames(frames, none, controller.signal))).not.toContain(expired);
});

async function passed(frames: readonly string[], faults: WatchFaults): Promise<readonly string[]> {
  const source = (async function* () {
    await Promise.resolve();
    yield* frames;
  })();
  return await collect(faultyFrames(source, faults, signal()));
}

async function collect(frames: AsyncIterable<string>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const frame of frames) {
    all.push(frame);
  }
  return all;
}

function signal(): AbortSignal {
  return new AbortController().signal;
}

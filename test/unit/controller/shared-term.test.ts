import { beforeEach, describe, expect, it } from 'vitest';
import { SharedTerm, type TermOfShards } from '../../../controller/shared-term.ts';
import { settle } from '../fakes/manual-clock.ts';

/** A term that writes down what happens to it, and ends when it is told to, or asked to `end`. */
class FakeTerm implements TermOfShards {
  end: (error?: Error) => void = () => undefined;
  readonly #name: string;
  readonly #ended: Promise<void>;

  constructor(name: string, signal: AbortSignal) {
    this.#name = name;
    this.#ended = new Promise((resolve, reject) => {
      this.end = (error) => (error === undefined ? resolve() : reject(error));
      signal.addEventListener('abort', () => {
        setImmediate(() => setImmediate(resolve));
      });
    });
  }

  take(shard: number): Promise<void> {
    happened.push(`${this.#name} takes ${shard}`);
    return Promise.resolve();
  }

  leave(shard: number): Promise<void> {
    happened.push(`${this.#name} leaves ${shard}`);
    return Promise.resolve();
  }

  async run(): Promise<void> {
    happened.push(`${this.#name} begins`);
    await this.#ended;
    happened.push(`${this.#name} ends`);
  }
}

let happened: string[];
let shared: SharedTerm<FakeTerm>;

beforeEach(() => {
  let terms = 0;
  happened = [];
  shared = new SharedTerm({
    begin: (signal) => {
      terms += 1;
      return Promise.resolve(new FakeTerm(`term ${terms}`, signal));
    },
    onEnded: () => happened.push('told'),
  });
});

function hold(shard: number): { lose: () => void; done: Promise<void> } {
  const held = new AbortController();
  return { lose: () => held.abort(), done: shared.serve(shard, held.signal) };
}

describe('the term of a process', () => {
  it('begins with the first shard and ends with the last, and there is one for all', async () => {
    const first = hold(0);
    await settle();
    const second = hold(3);
    await settle();
    expect([...shared.shards]).toEqual([0, 3]);
    first.lose();
    await first.done;
    second.lose();
    await second.done;
    expect(happened).toEqual([
      'term 1 begins',
      'term 1 takes 0',
      'term 1 takes 3',
      'term 1 leaves 0',
      'term 1 ends',
      'told',
    ]);
    expect([shared.shards.size, shared.current]).toEqual([0, undefined]);
  });

  it('has ended before the next one begins', async () => {
    const first = hold(0);
    await settle();
    first.lose();
    await settle();
    const second = hold(1);
    await first.done;
    await settle();
    second.lose();
    await second.done;
    expect(happened.slice(2)).toEqual([
      'term 1 ends',
      'told',
      'term 2 begins',
      'term 2 takes 1',
      'term 2 ends',
      'told',
    ]);
  });

  it('gives back no shard before it has ended where all are given up at once', async () => {
    const holds = [hold(0), hold(1)];
    await settle();
    for (const { lose, done } of holds) {
      lose();
      void done.then(() => happened.push('given back'));
    }
    await Promise.all(holds.map(({ done }) => done));
    expect(happened.slice(3)).toEqual(['term 1 leaves 0', 'term 1 ends', 'told', 'given back', 'given back']);
  });

  it('that ends by itself ends the service of every shard', async () => {
    const holds = [hold(0), hold(1)];
    await settle();
    shared.current?.end();
    await Promise.all(holds.map(({ done }) => done));
    expect(shared.shards.size).toBe(0);
  });

  it('passes on the error that it ends with', async () => {
    const { done } = hold(0);
    await settle();
    shared.current?.end(new Error('a bug'));
    await expect(done).rejects.toThrow('a bug');
  });

  it('that cannot begin keeps no shard from being given back', async () => {
    const waiting = new SharedTerm<FakeTerm>({
      begin: async (signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return new FakeTerm('term', AbortSignal.abort());
      },
      onEnded: () => undefined,
    });
    const [first, second] = [new AbortController(), new AbortController()];
    const done = [waiting.serve(0, first.signal), waiting.serve(1, second.signal)];
    await settle();
    first.abort();
    await done[0];
    expect([...waiting.shards]).toEqual([1]);
    second.abort();
    waiting.current?.end();
    await settle();
    waiting.current?.end();
    await done[1];
    expect([...waiting.shards]).toEqual([]);
  });
});

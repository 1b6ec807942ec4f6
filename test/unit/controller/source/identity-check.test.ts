import { beforeEach, describe, expect, it } from 'vitest';
import { IdentityCheck, OtherClusterError } from '../../../../controller/source/identity-check.ts';
import { KnownSource } from '../../../../controller/source/known-source.ts';
import { SourceReadError } from '../../../../controller/source/source-reader.ts';
import { TransportError } from '../../../../shared/kube/errors.ts';
import { type Logger, silentLogger } from '../../../../shared/logger.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

let reads: PromiseWithResolvers<string>[];
let ended: number;
let lines: string[];
let source: KnownSource;
let check: IdentityCheck;
let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
  [reads, lines, ended] = [[], [], 0];
  const keep = (message: string): void => {
    lines.push(message);
  };
  const logger: Logger = { ...silentLogger, info: keep, error: keep };
  source = new KnownSource('https://source.example', logger);
  source.recognise('own');
  source.onOther(() => {
    ended += 1;
  });
  check = new IdentityCheck({
    clock,
    source,
    readUid: () => {
      const read = Promise.withResolvers<string>();
      reads.push(read);
      return read.promise;
    },
  });
});

/** What the read with this number gives; it must be under way. */
async function answer(number: number, uid: string): Promise<void> {
  reads[number]?.resolve(uid);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the check of the source cluster', () => {
  it('serves all who call while one read is under way with the next one', async () => {
    const first = check.confirm();
    const rest = Array.from({ length: 300 }, () => check.confirm());
    expect(reads).toHaveLength(1);
    await answer(0, 'own');
    await first;
    expect(reads).toHaveLength(2);
    const late = check.confirm();
    await answer(1, 'own');
    await Promise.all(rest);
    expect(reads).toHaveLength(3);
    await answer(2, 'own');
    await late;
  });

  it('vouches for nothing that was read before another cluster answered', async () => {
    const first = check.confirm();
    const second = check.confirm();
    await answer(0, 'own');
    await first;
    await Promise.all([expect(second).rejects.toThrow(OtherClusterError), answer(1, 'other')]);
    expect(ended).toBe(1);
  });

  it('vouches for nothing more once another cluster has answered, also where somebody else asked and it is gone', async () => {
    source.recognise('other');
    source.recognise('own');
    const late = check.confirm();
    await Promise.all([expect(late).rejects.toThrow(OtherClusterError), answer(0, 'own')]);
  });

  it('fails where the cluster does not say who it is, and is asked again by the next call', async () => {
    const unknown = check.confirm();
    reads[0]?.reject(new TransportError('Timeout', true, ''));
    await expect(unknown).rejects.toThrow(SourceReadError);
    const next = check.confirm();
    await answer(1, 'own');
    await next;
    expect(ended).toBe(0);
  });
});

describe('an answer with a FlowSchema of the source cluster', () => {
  beforeEach(async () => {
    source.noteFlowSchema('own-schema');
    const first = check.confirm();
    await answer(0, 'own');
    await first;
  });

  it('needs no check for a second after the last one began', async () => {
    await clock.advance(999);
    await check.confirm('own-schema');
    expect(reads).toHaveLength(1);
    await clock.advance(1);
    void check.confirm('own-schema');
    expect(reads).toHaveLength(2);
  });

  it.each(['another schema', undefined])('is distinct from one with %s, which needs a check', (schema) => {
    void check.confirm(schema);
    expect(reads).toHaveLength(2);
  });

  it('needs a check once another cluster has answered', async () => {
    source.recognise('other');
    await Promise.all([
      expect(check.confirm('own-schema')).rejects.toThrow(OtherClusterError),
      answer(1, 'other'),
    ]);
  });
});

describe('the known source', () => {
  it('is the first cluster that answered, says once that another does, and once that it is back', () => {
    expect([source.recognise('own'), source.problem]).toEqual([true, undefined]);
    expect([source.recognise('other'), source.recognise('other')]).toEqual([false, false]);
    expect(source.problem).toMatch(/is another cluster \(uid other\).*--take-over-from-uid=own/);
    expect([source.recognise('own'), source.problem]).toEqual([true, undefined]);
    expect(lines).toEqual([
      'another cluster answers at the address of the source cluster',
      'source cluster answers at its address again',
    ]);
  });

  it('has existing connections ended when it answers again, before anybody relies on it', () => {
    const order: (string | undefined)[] = [];
    const known = new KnownSource('https://source.example', silentLogger, () => {
      order.push('connections are ended');
    });
    for (const uid of ['own', 'own', 'other', 'other', 'own', 'own']) {
      order.push(known.recognise(uid) ? uid : 'refused');
    }
    expect(order).toEqual(['own', 'own', 'refused', 'refused', 'connections are ended', 'own', 'own']);
  });

  it('reports to a term that another cluster answers, also where one did before the term', () => {
    source.recognise('other');
    expect(ended).toBe(1);
    let told = 0;
    const listen = (): void => {
      told += 1;
    };
    source.onOther(listen);
    expect(told).toBe(1);
    source.recognise('own');
    source.onOther(listen);
    expect(told).toBe(1);
    source.onOther(listen, source.timesOther - 1);
    expect(told).toBe(2);
    source.forgetOnOther();
    source.recognise('other');
    expect(told).toBe(2);
  });

  it('reports to a term that its mark went back, also where that was seen before the term', () => {
    let told = 0;
    const listen = (): void => {
      told += 1;
    };
    const see = (uid: string, resourceVersion: string, before = source.mark): void => {
      source.seeMark({ name: 'lease', uid, resourceVersion }, before);
    };
    see('lease', '10');
    see('lease', '11');
    see('lease', '9');
    expect(told).toBe(0);
    source.onRestored(listen);
    expect(told).toBe(1);
    see('lease', '12');
    // An answer that was overtaken on its way, and a Lease that was made anew, prove nothing.
    see('lease', '11', { uid: 'lease', version: 9 });
    see('made-anew', '3');
    see('made-anew', '4');
    expect(told).toBe(1);
    see('made-anew', '2');
    expect(told).toBe(2);
    source.onRestored(undefined);
    source.onRestored(listen);
    expect(told).toBe(2);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { Claims } from '../../../../controller/claims/claims.ts';
import { ContextLink, newLinkStatus } from '../../../../controller/contexts/context-link.ts';
import { recordOfObject } from '../../../../controller/copy/copy-record.ts';
import type { TargetRef } from '../../../../controller/copy/target-ref.ts';
import { Contention } from '../../../../controller/reconcile/contention.ts';
import type { Outcome } from '../../../../controller/reconcile/outcome.ts';
import { Reconciler } from '../../../../controller/reconcile/reconciler.ts';
import { TargetWriter } from '../../../../controller/reconcile/target-writer.ts';
import { SourceReader } from '../../../../controller/source/source-reader.ts';
import { sourceRecordOf } from '../../../../controller/source/source-record.ts';
import { CopyIndex } from '../../../../controller/target/copy-index.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import type { PayloadObject } from '../../../../shared/kube/object.ts';
import { configMaps } from '../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { syncedKind } from '../../../../shared/synced-kind.ts';
import { anObject, FakeApi, type FakeCall } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { aContext, aSource, circumstancesOf, cluster, keys, reading, stampKey } from '../arbitraries.ts';
import { someGuards } from '../guard/guards.ts';

const target: TargetRef = { kind: 'ConfigMap', namespace: 'team', name: 'omni' };
const circumstances = circumstancesOf(aContext('c1', { namespace: 'team' }));

/** One lane's parts around two API servers in memory. */
class Bench {
  readonly clock = new ManualClock();
  readonly source = new FakeApi(this.clock);
  readonly target = new FakeApi(this.clock);
  readonly index = new CopyIndex(reading);
  readonly claims = new Claims(circumstances);
  readonly guards = someGuards(this.clock);
  readonly guard = this.guards.open('cluster-c1');
  /** What the source cluster does while it is asked who it is. */
  confirm: () => Promise<void> = () => Promise.resolve();
  readonly #signal = new AbortController().signal;
  readonly #reader = new SourceReader({
    client: this.source,
    identity: { confirm: () => this.confirm() },
    keys,
    stampKey,
    onVersion: () => undefined,
    cacheBytes: 1_000_000,
    clock: this.clock,
    signal: this.#signal,
  });
  readonly #link = new ContextLink({
    name: 'c1',
    namespace: 'team',
    server: this.target.server,
    client: this.target,
    status: newLinkStatus,
    sourceNamespaceUid: () => Promise.resolve(undefined),
    clock: this.clock,
    random: () => 0.5,
    logger: silentLogger,
    onChange: () => undefined,
  });
  readonly #reconciler = new Reconciler({
    cluster: 'cluster-c1',
    claims: this.claims,
    index: this.index,
    sources: this.#reader,
    writer: new TargetWriter({ index: this.index, keys, cluster, stampKey, signal: this.#signal }),
    guard: this.guard,
    contention: new Contention(this.clock),
    circumstances: () => circumstances,
    linksFor: () => [this.#link],
    wasWitnessed: () => false,
    versionsTrusted: () => true,
    clock: this.clock,
  });

  constructor() {
    this.index.replace('ConfigMap', undefined, [], '1');
  }

  /** Stores a source of that namespace with one value and claims its copy; yields what was stored. */
  annotate(namespace: string, value: string): void {
    const object: PayloadObject = {
      ...anObject(configMaps, namespace, 'omni', { annotations: { [keys.syncContexts]: 'c1' } }),
      data: { key: value },
    };
    const record = sourceRecordOf('ConfigMap', this.source.put(configMaps, object), keys);
    this.claims.put(`ConfigMap/${namespace}/omni`, record ?? aSource());
    this.#reader.sourceChanged(`ConfigMap/${namespace}/omni`, record);
  }

  /** The source is gone, and its claim with it. */
  withdraw(namespace: string): void {
    this.source.drop(configMaps, namespace, 'omni');
    this.claims.put(`ConfigMap/${namespace}/omni`, undefined);
    this.#reader.sourceChanged(`ConfigMap/${namespace}/omni`, undefined);
  }

  async pass(): Promise<Outcome> {
    const { outcome } = await this.#reconciler.reconcile(target);
    return outcome;
  }

  copy(): PayloadObject | undefined {
    return this.target.peek<PayloadObject>(configMaps, 'team', 'omni');
  }

  writes(): readonly FakeCall[] {
    return this.target.calls.filter(({ verb }) => verb !== 'get');
  }

  /** Runs once, when the source cluster is asked for the first time from now on. */
  whileSourceIsRead(run: () => void): void {
    let done = false;
    this.source.fault = () => {
      if (!done) {
        done = true;
        run();
      }
      return undefined;
    };
  }
}

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

const left: Outcome = { kind: 'left', reason: 'InSync' };

describe('a pass', () => {
  it('creates the copy, then leaves it without any request', async () => {
    bench.annotate('demo', '1');
    expect(await bench.pass()).toMatchObject({ kind: 'written', action: 'create' });
    expect(bench.copy()).toMatchObject({ data: { key: '1' } });
    const requests = bench.target.calls.length + bench.source.calls.length;
    expect(await bench.pass()).toEqual(left);
    expect(bench.target.calls.length + bench.source.calls.length).toBe(requests);
  });

  it('brings a changed source to its copy with one write', async () => {
    bench.annotate('demo', '1');
    await bench.pass();
    bench.annotate('demo', '2');
    expect(await bench.pass()).toMatchObject({ kind: 'written', action: 'update', reason: 'SourceChanged' });
    expect(bench.copy()).toMatchObject({ data: { key: '2' } });
    expect(bench.writes()).toHaveLength(2);
  });

  it('leaves a foreign object untouched, and creates the copy when it is gone', async () => {
    const foreign = { ...anObject(configMaps, 'team', 'omni'), data: { mine: '1' } };
    const stored = bench.target.put(configMaps, foreign);
    bench.annotate('demo', '1');
    expect(await bench.pass()).toEqual({ kind: 'refused', reason: 'Unowned' });
    expect(bench.copy()).toEqual(stored);
    bench.target.drop(configMaps, 'team', 'omni');
    expect(await bench.pass()).toMatchObject({ kind: 'written', action: 'create' });
  });

  it('replaces an immutable copy whose content must change', async () => {
    bench.annotate('demo', '1');
    await bench.pass();
    const copy = bench.copy() ?? anObject(configMaps, 'team', 'omni');
    bench.target.put(configMaps, { ...copy, immutable: true });
    bench.annotate('demo', '2');
    expect(await bench.pass()).toMatchObject({ kind: 'written', action: 'replace' });
    expect(bench.copy()?.metadata.uid).not.toBe(copy.metadata.uid);
    expect(bench.copy()).not.toHaveProperty('immutable');
    expect(await bench.pass()).toEqual(left);
  });

  it('deletes nothing of a replacement that would be refused', async () => {
    bench.annotate('demo', '1');
    await bench.pass();
    const copy = bench.copy() ?? anObject(configMaps, 'team', 'omni');
    const stored = bench.target.put(configMaps, { ...copy, immutable: true });
    bench.annotate('demo', '2');
    bench.target.fault = (call) =>
      call.dryRun === true ? { before: new ApiError(403, 'Forbidden') } : undefined;
    expect(await bench.pass()).toMatchObject({ kind: 'failed' });
    expect(bench.copy()).toEqual(stored);
  });

  it('finds out what became of a write whose answer was lost', async () => {
    bench.annotate('demo', '1');
    bench.target.fault = (call) =>
      call.verb === 'create' ? { after: new TransportError('ConnectionReset', true, '') } : undefined;
    expect(await bench.pass()).toMatchObject({ kind: 'failed' });
    bench.target.fault = () => undefined;
    expect(await bench.pass()).toEqual(left);
    expect(bench.writes()).toHaveLength(1);
  });

  it('deletes the copy of a source that is gone, and nothing while the source cluster does not say so', async () => {
    bench.annotate('demo', '1');
    await bench.pass();
    bench.withdraw('demo');
    bench.source.failNext('get', new ApiError(500, 'ServerError'));
    expect(await bench.pass()).toMatchObject({ kind: 'failed' });
    expect(bench.copy()).toBeDefined();
    expect(await bench.pass()).toEqual({ kind: 'written', action: 'delete', reason: 'SourceDeleted' });
    expect(bench.copy()).toBeUndefined();
  });

  it('does not delete on an old proof: the source can have come back since', async () => {
    bench.annotate('demo', '1');
    await bench.pass();
    const source = bench.source.peek(configMaps, 'demo', 'omni') ?? anObject(configMaps, 'demo', 'omni');
    bench.withdraw('demo');
    bench.confirm = async () => {
      bench.confirm = () => Promise.resolve();
      bench.source.put(configMaps, source);
      await bench.clock.advance(16_000);
    };
    expect(await bench.pass()).toEqual({ kind: 'left', reason: 'StillListed' });
    expect(bench.copy()).toBeDefined();
  });

  it('hands a copy over in place when its source lets go', async () => {
    bench.annotate('demo', '1');
    await bench.pass();
    const uid = bench.copy()?.metadata.uid;
    bench.annotate('other', '2');
    expect(await bench.pass()).toEqual(left);
    bench.withdraw('demo');
    expect(await bench.pass()).toMatchObject({ kind: 'written', action: 'update' });
    expect(bench.copy()).toMatchObject({ metadata: { uid }, data: { key: '2' } });
  });
});

describe('what changes while a pass is reading', () => {
  it('does not give one source’s payload to the copy of another', async () => {
    bench.annotate('zebra', 'of zebra');
    bench.whileSourceIsRead(() => {
      bench.withdraw('zebra');
      bench.annotate('demo', 'of demo');
    });
    await bench.pass();
    expect(bench.copy()).toMatchObject({ data: { key: 'of demo' } });
    expect(bench.writes()).toHaveLength(1);
  });

  it('does not let the proof that one source is gone delete the copy of another', async () => {
    bench.annotate('demo', '1');
    await bench.pass();
    bench.annotate('other', '2');
    bench.withdraw('demo');
    await bench.pass();
    const ofOther = bench.copy() ?? anObject(configMaps, 'team', 'omni');
    bench.target.drop(configMaps, 'team', 'omni');
    bench.index.forget(target, ofOther.metadata.uid);
    bench.annotate('demo', '1');
    bench.claims.put('ConfigMap/other/omni', undefined);
    await bench.pass();
    bench.withdraw('demo');
    // A second controller gives the copy to the other source, which still asks for it, though this one has yet to hear so.
    bench.whileSourceIsRead(() => {
      const stored = bench.target.put(configMaps, ofOther);
      const record = recordOfObject(syncedKind('ConfigMap'), stored, reading);
      expect(record.ownership).toBe('ours');
      bench.index.observe('ConfigMap', { type: 'MODIFIED', object: stored });
    });
    expect(await bench.pass()).toEqual({ kind: 'left', reason: 'StillListed' });
    expect(bench.copy()).toMatchObject({ data: { key: '2' } });
  });
});

it('holds a deletion back while the guard is tripped, and a released one stays released when it fails', async () => {
  bench.annotate('demo', '1');
  await bench.pass();
  bench.withdraw('demo');
  const { name } = bench.guards.stop('cluster-c1', 'TooManyDeletions');
  const held = { origin: { namespace: 'demo', name: 'omni' }, trip: name };
  expect(await bench.pass()).toMatchObject({ kind: 'waiting', reason: 'DeletionGuard', held });
  expect([bench.copy()?.data, bench.guard.held]).toEqual([{ key: '1' }, 1]);

  bench.guards.release([name]);
  bench.guards.stop('cluster-c1', 'SourceRestored');
  bench.target.failNext('delete', new ApiError(500, 'ServerError'), 2);
  expect(await bench.pass()).toMatchObject({ kind: 'failed' });
  expect(await bench.pass()).toMatchObject({ kind: 'failed' });
  expect(await bench.pass()).toMatchObject({ kind: 'written', action: 'delete' });
});

it('does not let one copy that cannot be deleted trip the mass-deletion guard', async () => {
  bench.annotate('demo', '1');
  await bench.pass();
  bench.withdraw('demo');
  bench.guard.begin(1);
  bench.target.failNext('delete', new ApiError(403, 'Forbidden'), 1_000);
  for (let attempt = 0; attempt < 600; attempt += 1) {
    expect(await bench.pass()).toMatchObject({ kind: 'failed' });
  }
  expect(bench.guard.tripped).toBe(false);
});

it.each([new TransportError('Timeout', true, ''), new ApiError(504, 'ServerError')])(
  'counts a deletion whose outcome is not known in the mass-deletion guard (%s)',
  async (after) => {
    bench.annotate('demo', '1');
    await bench.pass();
    bench.withdraw('demo');
    bench.guard.begin(1);
    for (let index = 0; index < 499; index += 1) {
      bench.guard.obstacle(`ConfigMap/team/${index}`, true);
    }
    bench.target.fault = ({ verb }) => (verb === 'delete' ? { after } : undefined);
    expect(await bench.pass()).toMatchObject({ kind: 'failed' });
    expect(bench.copy()).toBeUndefined();
    expect(bench.guard.obstacle('ConfigMap/team/more', true)).toBeDefined();
  },
);

it('writes to a target that was restored to an older state, without waiting for the next list', async () => {
  bench.annotate('demo', '1');
  await bench.pass();
  const saved = bench.target.save();
  for (const value of ['2', '3']) {
    bench.annotate('demo', value);
    await bench.pass();
  }
  bench.target.restore(saved);
  bench.annotate('demo', '4');
  expect(await bench.pass()).toMatchObject({ kind: 'written', action: 'update' });
  expect(bench.copy()).toMatchObject({ data: { key: '4' } });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LeaseOptions, runWithLeases } from '../../../../controller/lease/lease.ts';
import type { Lease } from '../../../../controller/lease/record.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { leases, namespaces } from '../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';

const reset = new TransportError('ConnectionReset', true, '');

let clock: ManualClock;
let server: FakeApi;
let candidates: Candidate[];

/** A process that competes. Its leader works until told to stop, then takes `drainMs`. */
class Candidate {
  readonly api: FakeApi;
  readonly transitions: string[] = [];
  readonly stop = new AbortController();
  leading = false;
  terms = 0;
  drainMs = 0;
  outcome: 'running' | 'ended' | Error = 'running';
  done: Promise<void> = Promise.resolve();

  constructor(identity: string, options: Partial<LeaseOptions> = {}, lead?: () => Promise<void>) {
    this.api = server.connection();
    candidates.push(this);
    const work = async (_index: number, signal: AbortSignal): Promise<void> => {
      this.leading = true;
      this.terms += 1;
      await (lead?.() ?? clock.sleep(1e9, signal));
      await clock.sleep(this.drainMs);
      this.leading = false;
    };
    const run = (): Promise<void> =>
      runWithLeases(
        {
          client: this.api,
          namespace: 'own',
          names: ['controller'],
          keys: { shards: 'test/shards', wantedBy: 'test/wanted-by' },
          identity,
          clock,
          random: () => 0.5,
          logger: silentLogger,
          onTransition: (state, detail) => this.transitions.push(`${state} ${detail}`),
          ...options,
        },
        work,
        this.stop.signal,
      );
    this.done = this.#follow(run);
  }

  async #follow(run: () => Promise<void>): Promise<void> {
    try {
      await run();
      this.outcome = 'ended';
    } catch (error) {
      this.outcome = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** No request of this candidate is answered any more. */
  cutOff(error: Error = reset): void {
    this.api.fault = () => ({ before: error });
  }
}

function lease(): Lease | undefined {
  return server.peek<Lease>(leases, 'own', 'controller');
}

beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 0, 1));
  server = new FakeApi(clock);
  candidates = [];
});

afterEach(async () => {
  for (const candidate of candidates) {
    candidate.drainMs = 0;
    candidate.stop.abort();
  }
  await clock.advance(60_000);
  await Promise.all(candidates.map((candidate) => candidate.done));
});

describe('acquiring', () => {
  it('creates the lease and leads', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    expect(lease()?.spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
      leaseTransitions: 0,
    });
    expect(a.transitions).toEqual(['leading a']);
  });

  it('renews the time, and leaves who and since when alone', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    await clock.advance(2_300);
    expect(lease()?.spec).toMatchObject({
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:02.200000Z',
      leaseTransitions: 0,
    });
  });

  it('stands by while another renews, and takes over when the record no longer changes', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    const b = new Candidate('b');
    await clock.advance(120_000);
    expect(b.transitions).toEqual(['standby a']);
    expect(a.terms).toBe(1);
    a.cutOff();
    await clock.until(() => b.leading, 15_000 + 2 * 2_400);
    expect(a.leading).toBe(false);
    expect(lease()?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('goes by its own clock, however wrong the time stamps of the record are', async () => {
    for (const [index, renewTime] of [
      '1999-01-01T00:00:00.000000Z',
      '2099-01-01T00:00:00.000000Z',
    ].entries()) {
      const name = `lease-${index}`;
      server.put<Lease>(leases, {
        metadata: { namespace: 'own', name },
        spec: { holderIdentity: 'gone', leaseDurationSeconds: 15, renewTime, leaseTransitions: 4 },
      });
      const candidate = new Candidate('b', { names: [name] });
      await clock.advance(14_900);
      expect(candidate.leading).toBe(false);
      await clock.advance(2_500);
      expect(candidate.leading).toBe(true);
      expect(server.peek<Lease>(leases, 'own', name)?.spec?.leaseTransitions).toBe(5);
    }
  });

  it('respects a holder that was configured with a longer lease', async () => {
    server.put<Lease>(leases, {
      metadata: { namespace: 'own', name: 'controller' },
      spec: { holderIdentity: 'slow', leaseDurationSeconds: 60 },
    });
    const b = new Candidate('b');
    await clock.advance(59_000);
    expect(b.leading).toBe(false);
    await clock.until(() => b.leading, 5_000);
  });

  it('does not take a label on the lease for a sign of life', async () => {
    const record = { metadata: { namespace: 'own', name: 'controller' }, spec: { holderIdentity: 'gone' } };
    server.put<Lease>(leases, record);
    const b = new Candidate('b');
    await clock.advance(10_000);
    server.put<Lease>(leases, { ...record, metadata: { ...record.metadata, labels: { seen: 'yes' } } });
    await clock.advance(8_000);
    expect(b.leading).toBe(true);
  });

  it('leads at once where its own acquisition was stored but not answered', async () => {
    const a = new Candidate('a');
    a.api.fault = (call) => (call.verb === 'create' ? { after: reset } : undefined);
    await clock.until(() => a.leading, 3_000);
    expect(a.transitions).toEqual(['unavailable ConnectionReset', 'leading a']);
    expect(lease()?.spec?.leaseTransitions).toBe(0);
  });

  it('reports a missing namespace once, and leads when it appears', async () => {
    server.put(namespaces, { metadata: { name: 'another' } });
    const a = new Candidate('a');
    a.api.requireNamespaces = true;
    await clock.advance(30_000);
    expect(a.transitions).toEqual(['unavailable NamespaceNotFound']);
    server.put(namespaces, { metadata: { name: 'own' } });
    await clock.until(() => a.leading, 3_000);
    expect(a.transitions).toEqual(['unavailable NamespaceNotFound', 'leading a']);
  });

  it('reports missing rights, and waits as long as a throttling server asks', async () => {
    const a = new Candidate('a');
    a.cutOff(new ApiError(403, 'Forbidden'));
    await clock.advance(5_000);
    a.cutOff(new ApiError(429, 'TooManyRequests', { retryAfterMs: 9_000 }));
    await clock.until(() => a.transitions.length === 2);
    const calls = a.api.calls.length;
    await clock.advance(8_900);
    expect(a.api.calls.length).toBe(calls);
    expect(a.transitions).toEqual(['unavailable Forbidden', 'unavailable TooManyRequests']);
  });
});

describe('leading', () => {
  it('survives failing renewals within the deadline', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    a.cutOff();
    await clock.advance(8_000);
    a.api.fault = () => undefined;
    await clock.advance(60_000);
    expect(a.terms).toBe(1);
    expect(a.transitions).toEqual(['leading a']);
  });

  it('survives a renewal that hangs, and one whose answer is lost', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    a.api.fault = () => ({ answerDelayMs: 1e9 });
    await clock.advance(6_000);
    a.api.fault = () => ({ after: reset });
    await clock.advance(2_000);
    a.api.fault = () => undefined;
    await clock.advance(60_000);
    expect(a.terms).toBe(1);
  });

  it('stops at the deadline, counted from before the last renewal that succeeded', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    a.cutOff();
    await clock.advance(9_999);
    expect(a.leading).toBe(true);
    await clock.advance(1);
    expect(a.leading).toBe(false);
    expect(a.transitions).toEqual(['leading a', 'unavailable ConnectionReset']);
    a.api.fault = () => undefined;
    await clock.until(() => a.leading, 5_000);
    expect(a.terms).toBe(2);
  });

  it('counts the deadline from before a write whose answer was slow', async () => {
    const a = new Candidate('a');
    a.api.fault = (call) => (call.verb === 'create' ? { answerDelayMs: 4_000 } : undefined);
    await clock.until(() => a.leading);
    a.cutOff();
    await clock.advance(5_999);
    expect(a.leading).toBe(true);
    await clock.advance(1);
    expect(a.leading).toBe(false);
  });

  it('does not begin on an answer that was read after the deadline', async () => {
    const a = new Candidate('a');
    const create = a.api.create.bind(a.api);
    a.api.create = async (resource, object) => {
      const created = await create(resource, object);
      // The process was suspended here.
      await clock.advance(12_000);
      return created;
    };
    await clock.advance(20_000);
    await clock.advance(5_000);
    expect(a.leading).toBe(true);
    expect(a.transitions).toEqual(['leading a']);
    expect(a.terms).toBe(1);
  });

  it('stops at the deadline even while a renewal hangs', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    a.api.fault = () => ({ answerDelayMs: 1e9 });
    await clock.advance(10_000);
    expect(a.leading).toBe(false);
  });

  it('stops as soon as another holds the lease, and competes again only after its leader has ended', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    a.drainMs = 30_000;
    const held = lease();
    server.put<Lease>(leases, {
      metadata: { namespace: 'own', name: 'controller' },
      spec: { ...held?.spec, holderIdentity: 'usurper' },
    });
    await clock.advance(2_500);
    expect(a.transitions).toEqual(['leading a', 'standby usurper']);
    const calls = a.api.calls.length;
    await clock.advance(25_000);
    expect(a.api.calls.length).toBe(calls);
    await clock.until(() => a.terms === 2);
  });

  it('does not take a lease back unnoticed that another held and gave up meanwhile', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    server.put<Lease>(leases, {
      metadata: { namespace: 'own', name: 'controller' },
      spec: { holderIdentity: '', leaseTransitions: 7 },
    });
    await clock.until(() => a.terms === 2, 10_000);
    expect(lease()?.spec?.leaseTransitions).toBe(8);
  });

  it('survives a person who labels or deletes the lease', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    server.put<Lease>(leases, {
      ...lease(),
      metadata: { namespace: 'own', name: 'controller', labels: { a: 'b' } },
    });
    await clock.advance(5_000);
    expect(lease()?.metadata.labels).toEqual({ a: 'b' });
    server.drop(leases, 'own', 'controller');
    await clock.advance(5_000);
    expect(lease()?.spec?.holderIdentity).toBe('a');
    expect(a.terms).toBe(1);
  });
});

describe('ending', () => {
  it('keeps the lease until the leader has ended, however long that takes, then gives it back', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    const b = new Candidate('b');
    a.drainMs = 40_000;
    a.stop.abort();
    await clock.advance(39_999);
    expect(lease()?.spec?.holderIdentity).toBe('a');
    expect(b.leading).toBe(false);
    await clock.advance(1);
    expect(a.outcome).toBe('ended');
    expect(lease()?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    await clock.until(() => b.leading, 2_400);
  });

  it('gives the lease back and passes on what the leader throws', async () => {
    const a = new Candidate('a', {}, () => Promise.reject(new Error('a bug')));
    await clock.until(() => a.outcome !== 'running');
    expect(a.outcome).toEqual(new Error('a bug'));
    expect(lease()?.spec?.holderIdentity).toBe('');
  });

  it('gives the lease back when the leader returns by itself', async () => {
    const a = new Candidate('a', {}, () => Promise.resolve());
    await clock.until(() => a.outcome === 'ended');
    expect(lease()?.spec?.holderIdentity).toBe('');
  });

  it('gives back what an aborted acquisition may have got', async () => {
    const a = new Candidate('a');
    a.api.fault = (call) => (call.verb === 'create' ? { answerDelayMs: 4_000 } : undefined);
    await clock.advance(1_000);
    expect(lease()?.spec?.holderIdentity).toBe('a');
    a.stop.abort();
    await clock.advance(0);
    expect(a.outcome).toBe('ended');
    expect(a.terms).toBe(0);
    expect(lease()?.spec?.holderIdentity).toBe('');
  });

  it('gives back what was acquired though the API server answered with an error', async () => {
    const a = new Candidate('a');
    a.api.fault = (call) =>
      call.verb === 'create' ? { after: new ApiError(500, 'ServerError') } : undefined;
    await clock.advance(0);
    expect(lease()?.spec?.holderIdentity).toBe('a');
    a.stop.abort();
    await clock.advance(0);
    expect(lease()?.spec?.holderIdentity).toBe('');
  });

  it('gives the lease back though the last renewal was refused', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    a.api.failNext('update', new ApiError(500, 'ServerError'));
    await clock.advance(2_300);
    a.stop.abort();
    await clock.advance(0);
    expect(lease()?.spec?.holderIdentity).toBe('');
  });

  it('never touches a lease that another holds', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    const b = new Candidate('b');
    await clock.advance(5_000);
    b.stop.abort();
    await settle();
    expect(b.outcome).toBe('ended');
    expect(lease()?.spec?.holderIdentity).toBe('a');
    expect(b.api.calls.every((call) => call.verb === 'get')).toBe(true);
  });

  it('ends within the request timeouts when the API server is gone', async () => {
    const a = new Candidate('a');
    await clock.until(() => a.leading);
    a.api.fault = () => ({ answerDelayMs: 1e9 });
    a.stop.abort();
    await clock.advance(10_000);
    expect(a.outcome).toBe('ended');
  });
});

it('refuses durations that cannot work', async () => {
  const a = new Candidate('a', { leaseDurationMs: 10_000, renewDeadlineMs: 10_000 });
  await a.done;
  expect(a.outcome).toBeInstanceOf(RangeError);
});

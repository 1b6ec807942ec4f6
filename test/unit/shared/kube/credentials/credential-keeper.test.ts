import { describe, expect, test } from 'vitest';
import {
  CredentialKeeper,
  type CredentialKeeperOptions,
} from '../../../../../shared/kube/credentials/credential-keeper.ts';
import type { CredentialProvider, Obtained } from '../../../../../shared/kube/credentials/provider.ts';
import { AbortedError, CredentialsError } from '../../../../../shared/kube/errors.ts';
import { type LogFields, silentLogger } from '../../../../../shared/logger.ts';
import { ManualClock, settle } from '../../../fakes/manual-clock.ts';

const minute = 60_000;

/** A provider that answers when and as a test wants. */
class Cloud implements CredentialProvider {
  readonly name = 'gke';
  readonly renewal = { kind: 'expiry' } as const;
  readonly #clock: ManualClock;
  /** Milliseconds that tokens live; undefined where they do not say it. */
  lifeMs: number | undefined = 10 * minute;
  identity = 'alice';
  fail: string | undefined;
  hang = false;
  attempts = 0;
  aborted = 0;
  asked: boolean[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  advice(): string {
    return 'grant it something';
  }

  async obtain({ fresh, signal }: { fresh: boolean; signal: AbortSignal }): Promise<Obtained> {
    this.attempts += 1;
    this.asked.push(fresh);
    signal.addEventListener('abort', () => {
      this.aborted += 1;
    });
    const token = `token-${this.attempts}`;
    if (this.hang) {
      await new Promise(() => undefined);
    }
    if (this.fail !== undefined) {
      throw new CredentialsError(this.fail);
    }
    return {
      texts: { ca: undefined, certificate: undefined, key: undefined, token },
      expiresAt: this.lifeMs === undefined ? undefined : this.#clock.now() + this.lifeMs,
      identity: this.identity,
    };
  }
}

interface World {
  readonly clock: ManualClock;
  readonly cloud: Cloud;
  readonly keeper: CredentialKeeper;
  readonly lines: (readonly [message: string, fields: LogFields | undefined])[];
  readonly counts: string[];
  /** The token in use, as a request takes it: at once, or after waiting. */
  readonly token: () => Promise<string | undefined>;
}

function world(options: Partial<CredentialKeeperOptions> = {}): World {
  const clock = new ManualClock();
  const cloud = new Cloud(clock);
  const lines: World['lines'] = [];
  const counts: string[] = [];
  const note = (message: string, fields?: LogFields): void => {
    lines.push([message, fields]);
  };
  const keeper = new CredentialKeeper({ server: 'https://api' }, cloud, {
    clock,
    random: () => 0.5,
    logger: { ...silentLogger, info: note, warn: note },
    onObtained: (provider, result) => counts.push(`${provider} ${result}`),
    ...options,
  });
  const token = async (): Promise<string | undefined> =>
    (keeper.current ?? (await keeper.obtain())).texts.token;
  return { clock, cloud, keeper, lines, counts, token };
}

async function problem(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((reason: unknown) => reason);
  return error instanceof CredentialsError ? error.message : String(error);
}

describe('credentials that expire', () => {
  test('are obtained once for all who wait, and then used without waiting', async () => {
    const { cloud, keeper, token, counts } = world();
    expect(keeper.current).toBeUndefined();
    expect(await Promise.all([token(), token(), token()])).toEqual(['token-1', 'token-1', 'token-1']);
    expect(keeper.current?.headers).toEqual({ authorization: 'Bearer token-1' });
    expect(cloud.attempts).toBe(1);
    expect(counts).toEqual(['gke success']);
  });

  test('are renewed in the background before they expire: nobody ever waits', async () => {
    const { clock, keeper, token } = world();
    await token();
    const seen = new Set<string | undefined>();
    for (let elapsed = 0; elapsed < 60 * minute; elapsed += 1_000) {
      await clock.advance(1_000);
      expect(keeper.current).toBeDefined();
      seen.add(keeper.current?.texts.token);
    }
    expect(seen.size).toBeGreaterThan(6);
  });

  test('are renewed at different times by different connections', async () => {
    const early = world({ random: () => 0 });
    const late = world({ random: () => 0.99 });
    await Promise.all([early.token(), late.token()]);
    await Promise.all([early.clock.advance(7.5 * minute), late.clock.advance(7.5 * minute)]);
    expect([early.cloud.attempts, late.cloud.attempts]).toEqual([2, 1]);
  });

  test('that live for five seconds are renewed as well', async () => {
    const { clock, cloud, keeper, token } = world();
    cloud.lifeMs = 5_000;
    await token();
    for (let elapsed = 0; elapsed < minute; elapsed += 100) {
      await clock.advance(100);
      expect(keeper.current).toBeDefined();
    }
    expect(cloud.attempts).toBeLessThan(20);
  });

  test('without a time of expiry are kept', async () => {
    const { clock, cloud, keeper, token } = world();
    cloud.lifeMs = undefined;
    await token();
    await clock.advance(24 * 60 * minute);
    expect(keeper.current?.texts.token).toBe('token-1');
    expect(keeper.state.expiresAt).toBeUndefined();
  });

  test('stay in use while they cannot be renewed, and no longer than they live', async () => {
    const { clock, cloud, keeper, lines, token } = world();
    await token();
    cloud.fail = 'AccessDenied: grant it';
    await clock.advance(9.9 * minute);
    expect(keeper.current?.texts.token).toBe('token-1');
    await clock.advance(0.2 * minute);
    expect(keeper.current).toBeUndefined();
    expect(await problem(token())).toBe('AccessDenied: grant it');
    expect(lines.filter(([message]) => message.includes('cannot be renewed'))).toHaveLength(1);
    cloud.fail = undefined;
    await clock.advance(minute);
    expect(keeper.current).toBeDefined();
  });

  test('that cannot be had are not asked for with every request', async () => {
    const { clock, cloud, token, counts } = world();
    cloud.fail = 'no';
    for (let second = 0; second < 600; second += 1) {
      expect(await problem(token())).toBe('no');
      await clock.advance(1_000);
    }
    expect(cloud.attempts).toBeLessThan(50);
    expect(new Set(counts)).toEqual(new Set(['gke failure']));
  });

  test('that have expired on arrival are a problem', async () => {
    const { cloud, token } = world();
    cloud.lifeMs = -1;
    expect(await problem(token())).toMatch(/expired at 2025-12-31T23:59:59.999Z; compare the clocks/);
  });

  test('show who they are and when they expire; a change of identity is logged, a renewal is not', async () => {
    const { clock, cloud, keeper, lines, token } = world();
    await token();
    expect(keeper.state).toEqual({
      provider: 'gke',
      identity: 'alice',
      expiresAt: clock.now() + 10 * minute,
      advice: 'grant it something',
    });
    await clock.advance(9 * minute);
    expect(lines).toHaveLength(1);
    cloud.identity = 'bob';
    await clock.advance(9 * minute);
    expect(lines.map(([message, fields]) => [message, fields?.['identity']])).toEqual([
      ['credentials obtained', 'alice'],
      ['credentials obtained', 'bob'],
    ]);
  });
});

describe('a provider that does not answer', () => {
  test('holds up a request for five seconds, and is given up after twenty', async () => {
    const { clock, cloud, token } = world();
    cloud.hang = true;
    const first = problem(token());
    await clock.advance(5_000);
    expect(await first).toBe('Google Cloud has not answered within 5 s yet');
    expect(cloud).toMatchObject({ attempts: 1, aborted: 0 });
    const second = problem(token());
    await clock.advance(5_000);
    await second;
    expect(cloud.attempts).toBe(1);
    await clock.advance(10_000);
    expect(cloud.aborted).toBe(1);
    expect(await problem(token())).toBe('Google Cloud did not answer within 20 s');
    await clock.advance(2_000);
    const third = problem(token());
    await clock.advance(5_000);
    expect(await third).toBe('Google Cloud did not answer within 20 s');
    cloud.hang = false;
    await clock.advance(30_000);
    expect(await token()).toBe('token-3');
  });

  test('is given up when the connection is closed, and nothing is obtained later', async () => {
    const { clock, cloud, keeper, token } = world();
    cloud.hang = true;
    const waiting = token().catch((error: unknown) => error);
    await settle();
    keeper.close();
    expect(await waiting).toBeInstanceOf(AbortedError);
    expect(cloud.aborted).toBe(1);
    await clock.advance(60 * minute);
    await expect(token()).rejects.toBeInstanceOf(AbortedError);
    expect(cloud.attempts).toBe(1);
    expect(clock.waiting).toBe(0);
  });
});

describe('credentials that were refused', () => {
  test('are replaced once for all requests, by fresh ones', async () => {
    const { cloud, keeper } = world();
    const refused = await keeper.obtain();
    const renewed = await Promise.all([keeper.renewed(refused), keeper.renewed(refused)]);
    expect(renewed.map((one) => one?.texts.token)).toEqual(['token-2', 'token-2']);
    expect(cloud.asked).toEqual([false, true]);
    expect((await keeper.renewed(refused))?.texts.token).toBe('token-2');
    expect(cloud.attempts).toBe(2);
  });

  test('again and again cause no busy loop', async () => {
    const { clock, cloud, keeper } = world();
    let refused = await keeper.obtain();
    for (let second = 0; second < 100; second += 1) {
      refused = (await keeper.renewed(refused)) ?? refused;
      await clock.advance(1_000);
    }
    expect(cloud.attempts).toBeLessThan(15);
  });

  test('and cannot be renewed are not tried again', async () => {
    const { cloud, keeper } = world();
    const refused = await keeper.obtain();
    cloud.fail = 'no';
    expect(await keeper.renewed(refused)).toBeUndefined();
  });
});

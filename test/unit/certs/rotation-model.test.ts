import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCertificate } from '../../../certs/certificate.ts';
import { trustedByAny } from '../../../certs/live-bundle.ts';
import { canSign } from '../../../certs/rotation.ts';
import { defaultRotationPolicy } from '../../../certs/rotation-policy.ts';
import { ApiError, TransportError } from '../../../shared/kube/errors.ts';
import type { FakeCall, FakeFault } from '../fakes/fake-api.ts';
import { Cluster, type Replica } from './replicas.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

type Action =
  /** Wall time passes, and the replicas get some running time. */
  | { readonly do: 'pass'; readonly wallMs: number; readonly runMs: number }
  | { readonly do: 'start'; readonly skewMs: number }
  | { readonly do: 'kill' | 'cutOff' | 'reconnect'; readonly which: number }
  | { readonly do: 'wipe' | 'deleteSecret' | 'applySecret' | 'garbage' | 'recreateConfiguration' };

const runMs = fc.constantFrom(0, 300, 5_000, 6 * minute, 2 * hour);
const forward = fc.constantFrom(
  0,
  minute,
  hour,
  5 * day,
  20 * day,
  31 * day,
  130 * day,
  250 * day,
  400 * day,
);
const which = fc.nat(2);
const ordinary: fc.Arbitrary<Action>[] = [
  fc.record({ do: fc.constant('pass' as const), wallMs: forward, runMs }),
  fc.record({
    do: fc.constant('start' as const),
    // Of most replicas within what is tolerated, of some years off.
    skewMs: fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: -30 * minute, max: 30 * minute }) },
      { weight: 1, arbitrary: fc.constantFrom(-400 * day, -20 * day, 20 * day, 400 * day) },
    ),
  }),
  fc.record({ do: fc.constantFrom('kill' as const, 'cutOff' as const, 'reconnect' as const), which }),
];
const harmful: fc.Arbitrary<Action>[] = [
  fc.record({
    do: fc.constantFrom(
      'wipe' as const,
      'deleteSecret' as const,
      'applySecret' as const,
      'garbage' as const,
      'recreateConfiguration' as const,
    ),
  }),
  fc.record({
    do: fc.constant('pass' as const),
    wallMs: forward.map((ms) => -ms),
    runMs,
  }),
];

/** Faults of calls, drawn in turn; most calls are answered. */
const faults = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.constant<FakeFault>({ before: new TransportError('ConnectionReset', false, '') }),
    },
    { weight: 1, arbitrary: fc.constant<FakeFault>({ after: new TransportError('Timeout', true, '') }) },
    { weight: 1, arbitrary: fc.constant<FakeFault>({ after: new ApiError(500, 'ServerError') }) },
    { weight: 1, arbitrary: fc.constant<FakeFault>({ delayMs: 700, answerDelayMs: 900 }) },
  ),
  { minLength: 1, maxLength: 40 },
);

async function act(
  world: Cluster,
  action: Action,
  fault: (call: FakeCall) => FakeFault | undefined,
): Promise<void> {
  const { replicas } = world;
  switch (action.do) {
    case 'pass':
      world.clock.jump(action.wallMs);
      await world.clock.advance(action.runMs);
      return;
    case 'start':
      if (replicas.length < 3) world.start(action.skewMs, fault);
      return;
    case 'kill':
      await replicas.splice(action.which, 1)[0]?.kill();
      return;
    case 'cutOff':
      replicas[action.which]?.cutOff();
      return;
    case 'reconnect':
      replicas[action.which]?.reconnect(fault);
      return;
    case 'wipe':
      world.putConfiguration();
      return;
    case 'deleteSecret':
      world.dropSecret();
      return;
    case 'applySecret':
      world.applySecret();
      return;
    case 'garbage':
      world.putSecret('{"version":1}');
      return;
    case 'recreateConfiguration':
      world.dropConfiguration();
      world.putConfiguration();
  }
}

/** What must hold at every moment; called before and after every call of every replica. */
class Watchdog {
  readonly #world: Cluster;

  #signing = '';
  #next = '';
  readonly broken: string[] = [];

  constructor(world: Cluster) {
    this.#world = world;
  }

  look(): void {
    for (const replica of this.#world.replicas) this.#lookAt(replica);
    const { stored } = this.#world;
    if (stored?.kind !== 'usable') return;
    const { signing, next } = stored.cas;
    if (signing.certPem !== this.#signing) {
      const before = parseCertificate(this.#signing);
      // Skewed clocks see the end of a life up to half an hour sooner.
      const over = before !== undefined && before.notAfter < this.#world.clock.now() + hour;
      const proper = this.#signing === '' || signing.certPem === this.#next || over;
      if (!proper) this.broken.push('a CA signs that was not introduced');
      this.#signing = signing.certPem;
    }
    this.#next = next?.certPem ?? '';
    for (const { x509 } of trustedByAny(this.#world.live)) {
      if (!/^[4-7][0-9A-F]{31}$/.test(x509.serialNumber)) this.broken.push('a serial is not positive');
    }
  }

  #lookAt(replica: Replica): void {
    if (replica.manager.problem() === undefined) replica.seenReady = true;
    if (replica.seenReady && this.#world.isCurrent(replica) && !this.#world.verifies(replica)) {
      this.broken.push('a certificate in use does not chain to the live bundle');
    }
  }
}

function faultsInTurn(drawn: readonly (FakeFault | undefined)[], look: () => void) {
  let index = 0;
  let active = true;
  return {
    end: () => {
      active = false;
    },
    fault: (): FakeFault | undefined => {
      look();
      index += 1;
      return active ? drawn[index % drawn.length] : undefined;
    },
  };
}

const noCertificate = ['there is no serving certificate yet', 'the serving certificate is not valid now'];

/**
 * The one state that only a person can end, by correcting a clock: no CA in the Secret can sign now, and no replica may
 * replace it, since the clock of each one differs from the API server's.
 */
function waitsForClock({ replicas, stored, clock }: Cluster): boolean {
  return (
    replicas.every(({ skewMs }) => Math.abs(skewMs) > defaultRotationPolicy.skewMs) &&
    stored?.kind === 'usable' &&
    !canSign(stored.cas.signing, clock.now())
  );
}

async function settle(world: Cluster, fault: (call: FakeCall) => FakeFault | undefined): Promise<void> {
  for (const replica of world.replicas) replica.reconnect(fault);
  world.applySecret();
  if (world.replicas.length === 0) world.start(0, fault);
  await world.clock.advance(2 * hour);
  const [first] = world.replicas;
  if (first === undefined || !waitsForClock(world)) return;
  for (const { manager } of world.replicas) expect(noCertificate).toContain(manager.problem());
  first.skewMs = 0;
  await world.clock.advance(2 * hour);
}

/** What is left is a replica whose clock is wrong, and a CA that has expired. */
const wrongClockAlone: [Action[], (FakeFault | undefined)[]] = [
  [
    { do: 'start', skewMs: -400 * day },
    { do: 'start', skewMs: 0 },
    { do: 'kill', which: 0 },
    { do: 'pass', wallMs: 0, runMs: 0 },
    { do: 'kill', which: 1 },
    { do: 'pass', wallMs: 400 * day, runMs: 0 },
    { do: 'kill', which: 1 },
  ],
  [undefined, undefined, { after: new ApiError(500, 'ServerError') }],
];

test('a certificate in use chains to the live bundle at every moment, whatever time, crashes, lost answers and wrong clocks do', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(...ordinary), { minLength: 3, maxLength: 18 }),
      faults,
      async (actions, drawn) => {
        const world = new Cluster();
        const watchdog = new Watchdog(world);
        const { fault, end } = faultsInTurn(drawn, () => watchdog.look());
        try {
          world.start(0, fault);
          for (const action of actions) {
            await act(world, action, fault);
            watchdog.look();
          }
          end();
          await settle(world, fault);
          watchdog.look();
          expect(watchdog.broken).toEqual([]);
          expect(world.replicas.map(({ manager }) => manager.problem())).toEqual(
            world.replicas.map(() => undefined),
          );
        } finally {
          await world.stop();
        }
      },
    ),
    { numRuns: 25, examples: [wrongClockAlone] },
  );
}, 180_000);

test('whatever is wiped, deleted, garbled or set back heals, and all replicas agree', async () => {
  const any = fc.oneof(...ordinary, ...harmful);
  await fc.assert(
    fc.asyncProperty(fc.array(any, { minLength: 3, maxLength: 18 }), faults, async (actions, drawn) => {
      const world = new Cluster();
      const { fault, end } = faultsInTurn(drawn, () => undefined);
      try {
        world.start(0, fault);
        for (const action of actions) await act(world, action, fault);
        end();
        await settle(world, fault);
        expect(world.replicas.map(({ manager }) => manager.problem())).toEqual(
          world.replicas.map(() => undefined),
        );
        expect(world.replicas.every((replica) => world.isCurrent(replica) && world.verifies(replica))).toBe(
          true,
        );
        expect(world.stored).toMatchObject({ kind: 'usable' });
        expect(trustedByAny(world.live).length).toBeLessThanOrEqual(16);
      } finally {
        await world.stop();
      }
    }),
    { numRuns: 25 },
  );
}, 180_000);

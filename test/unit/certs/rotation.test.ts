import { beforeAll, describe, expect, it } from 'vitest';
import type { SharedCas } from '../../../certs/ca-document.ts';
import { parseCertificate } from '../../../certs/certificate.ts';
import { mayServe, whyIssue } from '../../../certs/certificate-keeper.ts';
import { type Ca, issueServingCertificate, makeCa } from '../../../certs/issue.ts';
import { bundleText, type LiveBundle } from '../../../certs/live-bundle.ts';
import { nextStep, type RotationStep, type RotationView } from '../../../certs/rotation.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import { TrustedSince } from '../../../certs/trusted-since.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { quickKeys } from './quick-keys.ts';

const material = quickKeys();
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const start = Date.UTC(2026, 0, 1);
/** Two thirds of a year and the hour that certificates begin early. */
const due = start - hour + (365 * day + hour) * (2 / 3);

/** The Secret and the configuration of one cluster, and one replica that takes its steps. */
class World {
  stored: RotationView['stored'] = { kind: 'unusable', why: 'empty' };
  live: LiveBundle | undefined = ['', ''];
  inUse: string | undefined;
  clockAgrees = true;
  readonly clock = new ManualClock(start);
  readonly trusted = new TrustedSince(this.clock);

  get now(): number {
    return this.clock.now();
  }

  view(): RotationView {
    this.trusted.saw(this.live);
    const { stored, live, inUse, now, clockAgrees } = this;
    const trustedForMs = (certPem: string) => this.trusted.forMs(certPem);
    return { stored, live, trustedForMs, inUse, policy, now, clockAgrees };
  }

  get cas(): SharedCas {
    if (this.stored.kind !== 'usable') throw new Error('the Secret is not usable');
    return this.stored.cas;
  }

  set cas(cas: SharedCas) {
    this.stored = { kind: 'usable', cas };
  }

  /** Goes to a time, milliseconds since the epoch, without a look in between. */
  async goTo(time: number): Promise<void> {
    await this.clock.advance(time - this.now);
  }

  async take(): Promise<RotationStep> {
    const step = nextStep(this.view());
    if (step.kind === 'publish') this.live = this.live?.map(() => step.caBundle);
    if ('content' in step) this.cas = await step.content(() => makeCa(policy, this.now, material));
    return step;
  }

  /** Takes steps until there is nothing to do, and names them. */
  async settle(): Promise<string[]> {
    const steps: string[] = [];
    for (;;) {
      const step = await this.take();
      if (step.kind === 'rest' || step.kind === 'blocked') return steps;
      steps.push(step.kind);
      if (steps.length > 20) throw new Error(`does not settle: ${steps.join(', ')}`);
    }
  }

  static async settled(): Promise<World> {
    const world = new World();
    await world.settle();
    return world;
  }
}

const pem = (...cas: readonly (Ca | undefined)[]): string =>
  bundleText(cas.flatMap((ca) => parseCertificate(ca?.certPem ?? '') ?? []));

let stranger: Ca;
beforeAll(async () => {
  stranger = await makeCa(policy, start, material);
});

describe('the phases', () => {
  it('begin with one CA, which is published', async () => {
    const world = new World();
    expect(await world.settle()).toEqual(['create', 'publish']);
    expect(world.live).toEqual([pem(world.cas.signing), pem(world.cas.signing)]);
    expect(world.cas.next).toBeUndefined();
    expect(nextStep(world.view())).toEqual({ kind: 'rest', forMs: due - start });
  });

  it('go through introduction, waiting and signing, and end when the old CA has expired', async () => {
    const world = await World.settled();
    const old = world.cas.signing;
    await world.goTo(due - 1);
    expect(await world.settle()).toEqual([]);
    await world.goTo(due);
    expect(await world.settle()).toEqual(['introduce', 'publish']);
    const { next } = world.cas;
    expect(world.cas.signing).toEqual(old);
    expect(world.live?.[1]).toBe(pem(old, next));
    expect(nextStep(world.view())).toEqual({ kind: 'rest', forMs: 5 * minute });
    await world.clock.advance(5 * minute - 1);
    expect(await world.settle()).toEqual([]);
    await world.clock.advance(1);
    expect(await world.settle()).toEqual(['sign']);
    expect(world.cas).toEqual({ signing: next, next: undefined });
    await world.goTo(start + 365 * day + hour);
    expect(await world.settle()).toEqual([]);
    expect(world.live?.[0]).toBe(pem(old, next));
    await world.clock.advance(1);
    expect(await world.settle()).toEqual(['publish']);
    expect(world.live).toEqual([pem(next), pem(next)]);
  });

  it('do not go on to signing while the bundle cannot be read back', async () => {
    const world = await World.settled();
    world.live = undefined;
    await world.goTo(due);
    expect(await world.settle()).toEqual(['introduce']);
    await world.clock.advance(day);
    expect(await world.settle()).toEqual([]);
    world.live = [''];
    expect(await world.settle()).toEqual(['publish']);
  });

  it('repair one webhook whose bundle was wiped, and start the waiting time again', async () => {
    const world = await World.settled();
    await world.goTo(due);
    await world.settle();
    world.live = [world.live?.[0] ?? '', ''];
    await world.clock.advance(hour);
    expect(await world.settle()).toEqual(['publish']);
    await world.clock.advance(5 * minute);
    expect(await world.settle()).toEqual(['sign']);
  });
});

describe('what went wrong', () => {
  it('an expired CA is replaced at once', async () => {
    const world = await World.settled();
    const old = world.cas.signing;
    await world.goTo(start + 365 * day);
    expect(await world.settle()).toEqual(['create', 'publish']);
    expect(world.live?.[0]).toBe(pem(old, world.cas.signing));
  });

  it('a CA that was introduced takes over from an expired one', async () => {
    const world = await World.settled();
    await world.goTo(due);
    await world.settle();
    const { next } = world.cas;
    world.live = ['', ''];
    await world.goTo(start + 365 * day);
    expect((await world.settle())[0]).toBe('sign');
    expect(world.cas.signing).toEqual(next);
  });

  it('a CA whose validity starts in the future is replaced', async () => {
    const world = await World.settled();
    world.clock.jump(-2 * day);
    expect((await world.settle())[0]).toBe('create');
    expect(parseCertificate(world.cas.signing.certPem)?.notBefore).toBe(start - 2 * day - hour);
  });

  it.each(['empty', 'not JSON'])(
    'a Secret that is %s starts over, and what was trusted stays so',
    async (why) => {
      const world = await World.settled();
      const old = world.cas.signing;
      world.stored = { kind: 'unusable', why };
      expect(await world.settle()).toEqual(['create', 'publish']);
      expect(world.live?.[0]).toBe(pem(old, world.cas.signing));
    },
  );

  it('what others put into the bundle is kept until it has expired', async () => {
    const world = await World.settled();
    world.live = [`${world.live?.[0] ?? ''}${stranger.certPem}`, ''];
    expect(await world.settle()).toEqual(['publish']);
    expect(world.live[1]).toBe(pem(stranger, world.cas.signing));
    world.cas = { signing: await makeCa(policy, start + 300 * day, material), next: undefined };
    await world.goTo(start + 365 * day + hour + 1);
    expect(await world.settle()).toEqual(['publish']);
    expect(world.live[1]).toBe(pem(world.cas.signing));
  });

  it('garbage in the bundle goes', async () => {
    const world = await World.settled();
    const good = world.live?.[0] ?? '';
    world.live = ['not PEM', `${good}\n# a remark`];
    expect(await world.settle()).toEqual(['publish']);
    expect(world.live).toEqual([good, good]);
  });

  it('the CA of the own certificate is put back, though Secret and bundle lost it', async () => {
    const world = await World.settled();
    world.inUse = stranger.certPem;
    expect(await world.settle()).toEqual(['publish']);
    expect(world.live?.[0]).toBe(pem(stranger, world.cas.signing));
  });

  it.each(['absent', 'later-version'] as const)('a Secret that is %s is left to a person', (kind) => {
    const world = new World();
    world.stored = { kind };
    expect(nextStep(world.view())).toMatchObject({ kind: 'blocked' });
  });

  it('the bundle does not grow without end, and never at the cost of a CA in use', async () => {
    const world = await World.settled();
    const many = await Promise.all(Array.from({ length: 40 }, () => makeCa(policy, start + day, material)));
    world.inUse = stranger.certPem;
    world.live = [pem(...many)];
    await world.settle();
    const [text = ''] = world.live;
    expect(text.match(/BEGIN/g)).toHaveLength(16);
    expect(text).toContain(pem(world.cas.signing));
    expect(text).toContain(pem(stranger));
  });
});

describe('while the clocks disagree', () => {
  it('no CA is replaced, introduced or removed, whatever seems to have expired', async () => {
    const world = await World.settled();
    const before = world.cas;
    world.live = world.live?.map((text) => text + stranger.certPem);
    await world.settle();
    world.clockAgrees = false;
    for (const days of [250, 400, -1000]) {
      world.clock.jump(days * day);
      expect(await world.settle()).toEqual([]);
    }
    expect(world.cas).toEqual(before);
    expect(world.live?.[0]).toContain(pem(stranger));
  });

  it('a wiped bundle is put back, and an empty Secret is filled', async () => {
    const world = await World.settled();
    const [text] = world.live ?? [];
    world.clockAgrees = false;
    world.clock.jump(400 * day);
    world.live = ['', ''];
    expect(await world.settle()).toEqual(['publish']);
    expect(world.live[0]).toBe(text);
    world.stored = { kind: 'unusable', why: 'empty' };
    expect(await world.settle()).toEqual(['create', 'publish']);
  });
});

describe('the serving certificate', () => {
  const names = ['hook.ns.svc', '127.0.0.1'];
  const settled = async () => {
    const { signing } = (await World.settled()).cas;
    const issued = await issueServingCertificate({ ca: signing, names, policy, now: start }, material);
    return { signing, issued };
  };

  it('is renewed at two thirds of its life, and at once when the CA or the clock changed', async () => {
    const { signing, issued } = await settled();
    const ask = (now: number, ca = signing) => whyIssue(issued, ca, policy, now);
    const renewal = start - hour + (30 * day + hour) * (2 / 3);
    expect(whyIssue(undefined, signing, policy, start)).toBe('first');
    expect(ask(start)).toBeUndefined();
    expect(ask(renewal - 1)).toBeUndefined();
    expect(ask(renewal)).toBe('due');
    expect(ask(start + 30 * day)).toBe('not-valid-now');
    expect(ask(start - 2 * hour)).toBe('not-valid-now');
    expect(ask(start, stranger)).toBe('ca-changed');
  });

  it('serves when its CA had time to be trusted, or when there is nothing better', async () => {
    const { signing, issued } = await settled();
    const other = await issueServingCertificate({ ca: stranger, names, policy, now: start }, material);
    const both = [pem(signing, stranger)];
    const view = { signing: stranger, live: both, trustedForMs: 0, now: start };
    expect(mayServe(other, undefined, view, policy)).toBe(true);
    expect(mayServe(other, issued, view, policy)).toBe(false);
    expect(mayServe(other, issued, { ...view, trustedForMs: 5 * minute }, policy)).toBe(true);
    const missing = { ...view, live: [pem(signing)], trustedForMs: undefined };
    expect(mayServe(other, issued, missing, policy)).toBe(false);
    expect(mayServe(other, issued, { ...view, live: [pem(stranger)] }, policy)).toBe(true);
    expect(mayServe(other, issued, { ...view, now: start + 30 * day }, policy)).toBe(true);
    expect(mayServe(other, issued, { ...missing, now: start + 30 * day }, policy)).toBe(false);
    const renewed = await issueServingCertificate({ ca: signing, names, policy, now: start }, material);
    expect(mayServe(renewed, issued, { ...missing, signing }, policy)).toBe(true);
  });
});

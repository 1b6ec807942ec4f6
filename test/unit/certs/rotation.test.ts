import { beforeAll, describe, expect, it } from 'vitest';
import type { Authorities } from '../../../certs/authorities.ts';
import { type Authority, issueLeaf, makeAuthority } from '../../../certs/authority.ts';
import { parseCertificate } from '../../../certs/certificate.ts';
import { bundleText, type LiveBundle } from '../../../certs/live-bundle.ts';
import { nextStep, type RotationStep, type RotationView } from '../../../certs/rotation.ts';
import { contentAfter, needsAuthority } from '../../../certs/rotation-content.ts';
import { mayServe, whyNewLeaf } from '../../../certs/rotation-leaf.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
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
  stored: RotationView['stored'] = { kind: 'absent' };
  live: LiveBundle | undefined = ['', ''];
  inUse: string | undefined;
  now = start;

  view(): RotationView {
    return { stored: this.stored, live: this.live, inUse: this.inUse, policy, now: this.now };
  }

  get content(): Authorities {
    if (this.stored.kind !== 'usable') throw new Error('the Secret is not usable');
    return this.stored.authorities;
  }

  set content(authorities: Authorities) {
    this.stored = { kind: 'usable', authorities, damaged: false };
  }

  async take(): Promise<RotationStep> {
    const view = this.view();
    const step = nextStep(view);
    if (step.kind === 'publish') this.live = this.live?.map(() => step.caBundle);
    if (step.kind === 'secret') {
      const made = needsAuthority(step.step) ? await makeAuthority(policy, this.now, material) : undefined;
      this.content = contentAfter(step.step, view, made);
    }
    return step;
  }

  /** Takes steps until there is nothing to do, and names them. */
  async settle(): Promise<string[]> {
    const steps: string[] = [];
    for (;;) {
      const step = await this.take();
      if (step.kind === 'rest') return steps;
      steps.push(step.kind === 'secret' ? step.step : step.kind);
      if (steps.length > 20) throw new Error(`does not settle: ${steps.join(', ')}`);
    }
  }
}

const pem = (...authorities: readonly { readonly certPem: string }[]): string =>
  bundleText(authorities.flatMap(({ certPem }) => parseCertificate(certPem) ?? []));

let stranger: Authority;
beforeAll(async () => {
  stranger = await makeAuthority(policy, start, material);
});

describe('the phases', () => {
  it('begin with one authority, published and recorded', async () => {
    const world = new World();
    expect(await world.settle()).toEqual(['create', 'publish', 'record']);
    expect(world.live).toEqual([pem(world.content.signing), pem(world.content.signing)]);
    expect(world.content).toMatchObject({ signing: { publishedAt: start }, next: undefined, retired: [] });
    expect(nextStep(world.view())).toEqual({ kind: 'rest', wakeAt: due });
  });

  it('go through introduction, waiting, signing, and retirement when the last old leaf has expired', async () => {
    const world = new World();
    await world.settle();
    const old = world.content.signing;
    world.now = due - 1;
    expect(await world.settle()).toEqual([]);
    world.now = due;
    expect(await world.settle()).toEqual(['introduce', 'publish', 'record']);
    const { next } = world.content;
    expect(world.content.signing).toEqual(old);
    expect(world.live?.[1]).toBe(pem(old, next ?? old));
    world.now += 5 * minute - 1;
    expect(await world.settle()).toEqual([]);
    world.now += 1;
    expect(await world.settle()).toEqual(['sign']);
    expect(world.content.signing).toEqual(next);
    expect(JSON.stringify(world.content)).not.toContain(JSON.stringify(old.keyPem));
    const signed = world.now;
    world.now = signed + 30 * day + hour - 1;
    expect(await world.settle()).toEqual([]);
    expect(world.live?.[0]).toBe(pem(old, world.content.signing));
    world.now += 1;
    expect(await world.settle()).toEqual(['retire', 'publish']);
    expect(world.live).toEqual([pem(world.content.signing), pem(world.content.signing)]);
    world.now += 5 * minute;
    expect(await world.settle()).toEqual(['forget']);
    expect(world.content.retired).toEqual([]);
  });

  it('do not go on to signing while the bundle cannot be read back', async () => {
    const world = new World();
    await world.settle();
    world.live = undefined;
    world.now = due;
    expect(await world.settle()).toEqual(['introduce']);
    world.now += day;
    expect(await world.settle()).toEqual([]);
    world.live = [''];
    expect(await world.settle()).toEqual(['publish', 'record']);
  });

  it('heal one webhook that was wiped, before anything else', async () => {
    const world = new World();
    await world.settle();
    world.now = due;
    await world.settle();
    world.live = [world.live?.[0] ?? '', ''];
    world.now += hour;
    expect(await world.settle()).toEqual(['publish', 'sign']);
  });

  it('count the waiting anew when a clock was years ahead', async () => {
    const world = new World();
    await world.settle();
    world.now = due;
    await world.settle();
    const { next } = world.content;
    if (next === undefined) throw new Error('not introduced');
    world.content = { ...world.content, next: { ...next, publishedAt: due + 700 * day } };
    expect(await world.settle()).toEqual(['record']);
    expect(world.content.next?.publishedAt).toBe(due);
  });
});

describe('what went wrong', () => {
  it('an expired authority is replaced at once, and stays trusted', async () => {
    const world = new World();
    await world.settle();
    const old = world.content.signing;
    world.now = start + 400 * day;
    expect(await world.settle()).toEqual(['replace', 'publish', 'record']);
    expect(world.live?.[0]).toBe(pem(old, world.content.signing));
  });

  it('an authority that was introduced takes over from an expired one', async () => {
    const world = new World();
    await world.settle();
    world.now = due;
    await world.settle();
    const { next } = world.content;
    world.now = start + 365 * day;
    expect(await world.settle()).toEqual(['sign']);
    expect(world.content.signing).toEqual(next);
  });

  it('an authority of a time to come is replaced', async () => {
    const world = new World();
    await world.settle();
    world.now = start - 2 * day;
    expect((await world.settle())[0]).toBe('replace');
    expect(parseCertificate(world.content.signing.certPem)?.notBefore).toBe(start - 2 * day - hour);
  });

  it.each([{ kind: 'absent' } as const, { kind: 'unusable', why: 'not JSON' } as const])(
    'a Secret that is $kind begins anew, and what was trusted stays so for the life of a leaf',
    async (stored) => {
      const world = new World();
      await world.settle();
      const old = world.content.signing;
      world.stored = stored;
      expect((await world.settle()).slice(1)).toEqual(['publish', 'record']);
      expect(world.live?.[0]).toBe(pem(old, world.content.signing));
      expect(world.content.retired).toMatchObject([{ until: start + 30 * day + hour }]);
    },
  );

  it('damaged parts are written anew', async () => {
    const world = new World();
    await world.settle();
    world.stored = { kind: 'usable', authorities: world.content, damaged: true };
    expect(await world.settle()).toEqual(['repair']);
  });

  it('what others put into the bundle is kept until a leaf of it must have expired', async () => {
    const world = new World();
    await world.settle();
    world.live = [`${world.live?.[0] ?? ''}${stranger.certPem}`, ''];
    expect(await world.settle()).toEqual(['adopt', 'publish']);
    expect(world.live[0]).toBe(pem(stranger, world.content.signing));
    world.now += 30 * day + hour;
    expect(await world.settle()).toEqual(['retire', 'publish']);
    expect(world.live[0]).toBe(pem(world.content.signing));
  });

  it('garbage in the bundle goes', async () => {
    const world = new World();
    await world.settle();
    const good = world.live?.[0] ?? '';
    world.live = ['not PEM', `${good}\n# a remark`];
    expect(await world.settle()).toEqual(['publish']);
    expect(world.live).toEqual([good, good]);
  });

  it('the authority of the own leaf is put back, though Secret and bundle lost it', async () => {
    const world = new World();
    await world.settle();
    world.inUse = stranger.certPem;
    expect(await world.settle()).toEqual(['publish', 'adopt']);
    expect(world.live?.[0]).toBe(pem(stranger, world.content.signing));
  });

  it('a Secret of a later version is left alone', () => {
    const world = new World();
    world.stored = { kind: 'foreign-version' };
    expect(nextStep(world.view())).toEqual({ kind: 'foreign-version' });
  });

  it('the bundle does not grow without end', async () => {
    const world = new World();
    const many = await Promise.all(Array.from({ length: 40 }, () => makeAuthority(policy, start, material)));
    world.live = [pem(...many)];
    await world.settle();
    expect(world.content.retired).toHaveLength(16);
    for (let year = 0; year < 24; year += 1) {
      world.now += (year % 2 === 0 ? 800 : -790) * day;
      await world.settle();
      expect(world.content.retired.length).toBeLessThanOrEqual(16);
    }
  });
});

describe('the leaf', () => {
  const names = ['hook.ns.svc', '127.0.0.1'];
  const settled = async () => {
    const world = new World();
    await world.settle();
    const { signing } = world.content;
    const leaf = await issueLeaf({ authority: signing, names, policy, now: start }, material);
    return { world, signing, leaf };
  };

  it('is renewed at two thirds of its life, and at once when names, authority or clock changed', async () => {
    const { signing, leaf } = await settled();
    const ask = (now: number, wanted = { signing, names }) => whyNewLeaf(leaf, wanted, policy, now);
    const renewal = start - hour + (30 * day + hour) * (2 / 3);
    expect(whyNewLeaf(undefined, { signing, names }, policy, start)).toBe('first');
    expect(ask(start)).toBeUndefined();
    expect(ask(renewal - 1)).toBeUndefined();
    expect(ask(renewal)).toBe('due');
    expect(ask(start + 30 * day)).toBe('not-valid-now');
    expect(ask(start - 2 * hour)).toBe('not-valid-now');
    expect(ask(start, { signing, names: ['other'] })).toBe('names-changed');
    expect(ask(start, { signing: { ...stranger, publishedAt: start }, names })).toBe('authority-changed');
  });

  it('serves when its authority had time to be trusted, or when there is nothing better', async () => {
    const { signing, leaf } = await settled();
    const other = await issueLeaf({ authority: stranger, names, policy, now: start }, material);
    const both = [pem(signing, stranger)];
    const view = { signing: { ...stranger, publishedAt: start }, live: both, policy, now: start };
    expect(mayServe(other, undefined, view)).toBe(true);
    expect(mayServe(other, leaf, view)).toBe(false);
    expect(mayServe(other, leaf, { ...view, now: start + 5 * minute })).toBe(true);
    expect(mayServe(other, leaf, { ...view, live: [pem(signing)], now: start + day })).toBe(false);
    expect(mayServe(other, leaf, { ...view, live: [pem(stranger)] })).toBe(true);
    expect(mayServe(other, leaf, { ...view, now: start + 30 * day })).toBe(true);
    const renewed = await issueLeaf({ authority: signing, names, policy, now: start }, material);
    const expired = { ...view, now: start + 30 * day };
    expect(mayServe(other, leaf, { ...expired, live: [pem(signing)] })).toBe(false);
    expect(mayServe(renewed, leaf, { ...view, signing: { ...signing, publishedAt: undefined } })).toBe(true);
  });
});

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ApiError, TransportError } from '../../../shared/kube/errors.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { configMaps, namespaces } from '../../../shared/kube/resource.ts';
import type { FakeCall, FakeFault, FakeVerb } from '../fakes/fake-api.ts';
import { keys } from './arbitraries.ts';
import { EngineWorld, entryOf } from './engine-world.ts';

const servers = ['c1', 'c2'] as const;
type Server = (typeof servers)[number];
/** Every context, and where its copies go: two contexts of one cluster, of which one carries a namespace. */
const contexts = [entryOf('c1'), entryOf('c2'), entryOf('c1-team', { at: 'c1', namespace: 'team' })];
const places: Readonly<Record<string, string>> = { c1: 'c1/demo', c2: 'c2/demo', 'c1-team': 'c1/team' };

const writes: readonly FakeVerb[] = ['create', 'update', 'delete'];
const faults: readonly FakeFault[] = [
  { before: new TransportError('ConnectionRefused', false, '') },
  { before: new TransportError('Timeout', true, ''), delayMs: 10_000 },
  { before: new ApiError(500, 'ServerError') },
  { before: new ApiError(429, 'TooManyRequests') },
  { after: new TransportError('Timeout', true, ''), answerDelayMs: 3_000 },
  { after: new ApiError(504, 'ServerError') },
  { delayMs: 2_500 },
];

const names = fc.constantFrom('s0', 's1', 's2');
const lists = fc.constantFrom('c1', 'c2', 'c1,c2', 'c2,c1-team', 'c1-team');
const onServer = fc.constantFrom(...servers);
const share = fc.integer({ min: 0, max: 99 });

const steps = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('annotate' as const), name: names, list: lists }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), name: names }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      server: onServer,
      verbs: fc.constantFrom<readonly FakeVerb[]>(writes, ['get'], ['list'], ['watch'], [...writes, 'list']),
      fault: fc.constantFrom(...faults),
      share,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('failSource' as const), share }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('heal' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('cut' as const), server: onServer, compact: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('meddle' as const),
      server: onServer,
      which: fc.nat(10),
      how: fc.constantFrom('delete' as const, 'edit' as const, 'label' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('contexts' as const), inUse: fc.subarray(contexts) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never;

/** A source cluster and two targets to which things happen, and what must come of it. */
class Model {
  readonly #world: EngineWorld;
  readonly #narrow: boolean;
  readonly #random: () => number;
  readonly #wanted = new Map<string, { readonly list: string; readonly value: string }>();
  #inUse = contexts;
  #values = 0;

  /** `narrow`: lists of all namespaces of the first target are refused. */
  constructor(world: EngineWorld, narrow: boolean, random: () => number) {
    this.#world = world;
    this.#narrow = narrow;
    this.#random = random;
    for (const server of servers) {
      world.target(server).put(namespaces, { metadata: { name: 'team' } });
    }
    this.heal();
  }

  heal(): void {
    this.#world.source.fault = () => undefined;
    for (const server of servers) {
      this.#fail(server, () => undefined);
    }
  }

  async run(step: Step): Promise<void> {
    const world = this.#world;
    switch (step.do) {
      case 'annotate':
        this.#values += 1;
        this.#wanted.set(step.name, { list: step.list, value: String(this.#values) });
        world.annotate(step.name, step.list, String(this.#values));
        break;
      case 'drop':
        this.#wanted.delete(step.name);
        world.source.drop(configMaps, 'demo', step.name);
        break;
      case 'fail':
        this.#fail(step.server, ({ verb }) =>
          step.verbs.includes(verb) && this.#random() < step.share ? step.fault : undefined,
        );
        break;
      case 'failSource':
        world.source.fault = ({ verb, resource }) =>
          verb === 'get' && resource === configMaps && this.#random() < step.share ? faults[1] : undefined;
        break;
      case 'heal':
        this.heal();
        break;
      case 'cut':
        world.target(step.server).endWatches(new TransportError('ConnectionReset', true, ''));
        if (step.compact) {
          world.target(step.server).compact();
        }
        break;
      case 'meddle':
        this.#meddle(step);
        break;
      case 'contexts':
        this.#inUse = step.inUse;
        world.engine.useContexts(step.inUse);
        break;
      case 'restart':
        await world.stop();
        await world.start(...this.#inUse);
        break;
    }
  }

  /** The copies that there must be, by place. */
  wanted(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#wanted].flatMap(([name, { list, value }]) =>
        list.split(',').map((context) => [`${places[context]}/${name}`, value] as const),
      ),
    );
  }

  /** The copies that there are, by place. */
  copies(): ReadonlyMap<string, string | undefined> {
    return new Map(
      servers.flatMap((server) =>
        this.#copiesOn(server).map(
          ({ metadata: { namespace, name }, data }) =>
            [`${server}/${namespace}/${name}`, data?.['key']] as const,
        ),
      ),
    );
  }

  #copiesOn(server: Server): readonly PayloadObject[] {
    return this.#world
      .target(server)
      .objects<PayloadObject>(configMaps)
      .filter(({ metadata }) => metadata.annotations?.[keys.origin] !== undefined);
  }

  #fail(server: Server, fault: (call: FakeCall) => FakeFault | undefined): void {
    this.#world.target(server).fault = (call) =>
      this.#narrow && server === 'c1' && call.verb === 'list' && call.namespace === undefined
        ? { before: new ApiError(403, 'Forbidden') }
        : fault(call);
  }

  #meddle({ server, which, how }: Extract<Step, { do: 'meddle' }>): void {
    const copies = this.#copiesOn(server);
    const copy = copies[which % Math.max(1, copies.length)];
    const target = this.#world.target(server);
    if (copy === undefined) {
      return;
    }
    const { metadata } = copy;
    switch (how) {
      case 'delete':
        target.drop(configMaps, metadata.namespace, metadata.name);
        break;
      case 'edit':
        target.put(configMaps, { ...copy, data: { key: 'edited' } });
        break;
      case 'label':
        target.put(configMaps, {
          ...copy,
          metadata: { ...metadata, labels: { ...metadata.labels, more: 'x' } },
        });
        break;
    }
  }
}

it('brings every copy in sync and removes all others soon after the last fault, whatever happened, and then rests', {
  timeout: 60_000,
}, async () => {
  const script = fc.array(fc.tuple(steps, fc.constantFrom(0, 1, 50, 500, 3_000, 15_000)), {
    maxLength: 40,
    size: 'max',
  });
  await fc.assert(
    fc.asyncProperty(script, fc.boolean(), fc.gen(), async (script_, narrow, gen) => {
      await using world = new EngineWorld();
      const model = new Model(world, narrow, () => gen(() => share));
      await world.start(...contexts);
      for (const [step, ms] of script_) {
        await model.run(step);
        await world.clock.advance(ms);
      }
      model.heal();
      world.engine.useContexts(contexts);
      await world.clock.advance(5 * 60_000);
      expect(model.copies()).toEqual(model.wanted());
      const before = servers.map((server) => world.target(server).calls.length);
      await world.clock.advance(60_000);
      const later = servers.flatMap((server, index) => world.target(server).calls.slice(before[index]));
      expect(later.filter(({ verb }) => writes.includes(verb))).toEqual([]);
    }),
    { numRuns: 80 },
  );
});

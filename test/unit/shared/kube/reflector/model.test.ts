import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ApiError, TransportError } from '../../../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../../../shared/kube/object.ts';
import { Reflector } from '../../../../../shared/kube/reflector/reflector.ts';
import { configMaps } from '../../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../../shared/logger.ts';
import { anObject, FakeApi } from '../../../fakes/fake-api.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { MirrorHandler, versionOf } from './mirror.ts';

const steps = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('put' as const), name: fc.nat(6), label: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), name: fc.nat(6) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(120_000) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'compact' as const,
        'cut' as const,
        'gone' as const,
        'end' as const,
        'bookmark' as const,
        'silence' as const,
        'speak' as const,
        'relist' as const,
        'explode' as const,
      ),
    }),
  },
);

/** What each list or watch call meets, in turn: mostly nothing. */
const faults = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(new ApiError(410, 'Gone')) },
    { weight: 1, arbitrary: fc.constant(new ApiError(500, 'ServerError')) },
    { weight: 1, arbitrary: fc.constant(new ApiError(429, 'TooManyRequests', { retryAfterMs: 5_000 })) },
    { weight: 1, arbitrary: fc.constant(new TransportError('ConnectionReset', true, '')) },
  ),
  { maxLength: 30 },
);

it('mirrors the API server in the end, whatever is cut, gone, silent or failing on the way', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { minLength: 5, maxLength: 60 }),
      faults,
      fc.nat(400),
      fc.boolean(),
      async (script, trouble, latency, selected) => {
        const clock = new ManualClock();
        const api = new FakeApi(clock);
        const mirror = new MirrorHandler();
        const stop = new AbortController();
        const pending = [...trouble];
        api.fault = () => ({ before: pending.shift(), answerDelayMs: latency });
        const labelSelector = selected ? 'label=1' : undefined;
        const reflector = new Reflector<KubeObject, KubeObject>({
          client: api,
          resource: configMaps,
          labelSelector,
          firstListShape: 'full',
          shape: 'metadata',
          pageSize: 2,
          clock,
          random: () => 0.5,
          logger: silentLogger,
          handler: mirror,
        });
        const running = reflector.run(stop.signal);
        for (const step of script) {
          if (step.do === 'put') {
            const labels = { label: String(step.label) };
            api.put(configMaps, anObject(configMaps, 'demo', `map-${step.name}`, { labels }));
          } else if (step.do === 'drop') api.drop(configMaps, 'demo', `map-${step.name}`);
          else if (step.do === 'advance') await clock.advance(step.ms);
          else if (step.do === 'compact') api.compact();
          else if (step.do === 'cut') api.endWatches(new TransportError('ConnectionReset', true, ''));
          else if (step.do === 'gone') api.endWatches(new ApiError(410, 'Gone'));
          else if (step.do === 'end') api.endWatches();
          else if (step.do === 'bookmark') api.bookmark();
          else if (step.do === 'silence') api.silent = true;
          else if (step.do === 'speak') api.silent = false;
          else if (step.do === 'relist') reflector.relist();
          else mirror.explodeOn = mirror.explodeOn === undefined ? 'event' : undefined;
        }
        api.silent = false;
        mirror.explodeOn = undefined;
        await clock.advance(900_000);
        const actual = api
          .objects(configMaps)
          .filter((object) => !selected || object.metadata.labels?.['label'] === '1');
        expect(mirror.versions()).toEqual(actual.map(versionOf).sort());
        expect(reflector.synced).toBe(true);
        expect(api.openWatches).toBe(1);
        stop.abort();
        await running;
        expect(clock.waiting).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
}, 60_000);

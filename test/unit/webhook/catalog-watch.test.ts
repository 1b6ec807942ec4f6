import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalogConfigMapName, catalogKey, formatCatalog } from '../../../shared/catalog/document.ts';
import { ApiError, TransportError } from '../../../shared/kube/errors.ts';
import type { PayloadObject } from '../../../shared/kube/object.ts';
import { configMaps } from '../../../shared/kube/resource.ts';
import type { LogFields, Logger } from '../../../shared/logger.ts';
import { CatalogWatch } from '../../../webhook/catalog-watch.ts';
import { aCatalog, aContext } from '../fakes/circumstances.ts';
import { FakeApi } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const namespace = 'own';
let clock: ManualClock;
let api: FakeApi;
let watch: CatalogWatch;
let stop: AbortController;
let running: Promise<void>;
let reads: string[];
let lines: [string, LogFields | undefined][];

beforeEach(() => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  stop = new AbortController();
  reads = [];
  lines = [];
  const say = (message: string, fields?: LogFields): void => void lines.push([message, fields]);
  const logger: Logger = { debug: () => undefined, info: say, warn: say, error: say, with: () => logger };
  watch = new CatalogWatch({
    client: api,
    namespace,
    installation: { annotationPrefix: 'kubed.appscode.com', namespace },
    clock,
    random: () => 0,
    logger,
    onRead: (result) => reads.push(result),
  });
});

afterEach(async () => {
  stop.abort();
  await running;
});

function start(): Promise<void> {
  running = watch.run(stop.signal);
  return clock.advance(0);
}

async function publish(text: string | undefined): Promise<void> {
  const data = text === undefined ? { other: 'x' } : { [catalogKey]: text };
  api.put<PayloadObject>(configMaps, { metadata: { namespace, name: catalogConfigMapName }, data });
  await clock.advance(0);
}

const names = (): readonly string[] =>
  'catalog' in watch.inUse ? [...watch.inUse.catalog.contexts.keys()] : [];
const missing = (): string => ('missing' in watch.inUse ? watch.inUse.missing : '');
const good = (...contexts: readonly string[]): string =>
  formatCatalog(aCatalog(...contexts.map((name) => aContext(name))));

describe('without any catalog the refusal names the reason and what to do: it', () => {
  it('was not read yet', () => {
    running = Promise.resolve();
    expect(missing()).toBe(
      'The contexts are not known: ConfigMap own/context-syncer-catalog has not been read yet; the webhook has only just started; try again in a few seconds.',
    );
  });

  it('does not exist', async () => {
    await start();
    expect(missing()).toBe(
      'The contexts are not known: ConfigMap own/context-syncer-catalog does not exist; see that the controller, which writes it, runs with --namespace=own and has read its contexts.',
    );
    expect(watch.current).toBe(false);
    expect(watch.ageSeconds).toBeUndefined();
  });

  it('is damaged', async () => {
    await publish('{"version":1}');
    await start();
    expect(missing()).toBe(
      'The contexts are not known: ConfigMap own/context-syncer-catalog is damaged (contexts is missing); see that the controller, which repairs it, runs with --namespace=own and has read its contexts.',
    );
    expect(reads).toEqual(['refused']);
  });

  it('may not be read', async () => {
    api.failNext('list', new ApiError(403, 'Forbidden'), 3);
    await start();
    expect(missing()).toContain(
      'cannot be read; the webhook needs list and watch on ConfigMaps in namespace own.',
    );
    await publish(good('a'));
    await clock.until(() => names().length > 0);
  });

  it('cannot be read because the API server does not answer', async () => {
    api.failNext('list', new TransportError('Timeout', true, ''));
    await start();
    expect(missing()).toContain('cannot be read; see the log of the webhook for the reason.');
  });
});

describe('the catalog in use', () => {
  beforeEach(async () => {
    await publish(good('a'));
    await start();
    await clock.until(() => names().length > 0);
  });

  it('follows what is published', async () => {
    await publish(good('a', 'b'));
    expect(names()).toEqual(['a', 'b']);
    expect(reads).toEqual(['accepted', 'accepted']);
    expect(watch.current).toBe(true);
  });

  it.each<[string, string | undefined]>([
    ['half a text', good('a', 'b').slice(0, -20)],
    ['another version', '{"version":2}'],
    ['no text', undefined],
  ])('stays the last good one when %s is published, and says so once', async (_what, text) => {
    lines = [];
    await publish(text);
    api.endWatches();
    await clock.advance(10_000);
    expect(names()).toEqual(['a']);
    expect(watch.current).toBe(false);
    expect(reads).toContain('refused');
    expect(lines.map(([message]) => message)).toEqual([
      'catalog of contexts is not usable, the last good one stays in use',
    ]);
    await publish(good('a'));
    expect(watch.current).toBe(true);
  });

  it('stays when the ConfigMap is deleted', async () => {
    api.drop(configMaps, namespace, catalogConfigMapName);
    await clock.advance(0);
    expect(names()).toEqual(['a']);
    expect(watch.current).toBe(false);
    expect(lines.at(-1)?.[1]).toMatchObject({ what: 'ConfigMap own/context-syncer-catalog was deleted' });
  });

  it('grows old while nothing is heard, and is young again with every bookmark', async () => {
    await clock.advance(30_000);
    expect(watch.ageSeconds).toBe(30);
    api.bookmark();
    await clock.advance(0);
    expect(watch.ageSeconds).toBe(0);
    await publish('broken');
    await clock.advance(90_000);
    expect(watch.ageSeconds).toBe(90);
  });

  it('is not current while its reading is forbidden, and is again when the watch speaks', async () => {
    api.failNext('watch', new ApiError(403, 'Forbidden'));
    api.endWatches();
    await clock.until(() => !watch.current);
    expect(names()).toEqual(['a']);
    await clock.until(() => watch.current);
  });

  it('of another ConfigMap is not looked at', async () => {
    api.put<PayloadObject>(configMaps, {
      metadata: { namespace, name: 'other' },
      data: { [catalogKey]: good('x') },
    });
    await clock.advance(0);
    expect(names()).toEqual(['a']);
  });
});

it('says in which settings the controller differs', async () => {
  await start();
  const published = (annotationPrefix: string): string =>
    formatCatalog({ ...aCatalog(aContext('a')), installation: { annotationPrefix, namespace } });
  await publish(published('kubed.appscode.com'));
  expect(watch.differingSettings).toEqual([]);
  await publish(published('other.example'));
  expect(watch.differingSettings).toEqual(['--annotation-prefix']);
  expect(lines.at(-1)).toEqual([
    'controller and webhook have different settings, so they look at different objects',
    { flags: ['--annotation-prefix'] },
  ]);
  expect(names()).toEqual(['a']);
});

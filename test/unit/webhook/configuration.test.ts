import { expect, it, onTestFinished } from 'vitest';
import { keysOf } from '../../../shared/keys.ts';
import { ApiError } from '../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../shared/kube/object.ts';
import { validatingWebhookConfigurations } from '../../../shared/kube/resource.ts';
import type { Logger } from '../../../shared/logger.ts';
import { findingsOf } from '../../../webhook/configuration-check.ts';
import { ConfigurationWatch } from '../../../webhook/configuration-watch.ts';
import { FakeApi } from '../fakes/fake-api.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { keys } from './fixtures.ts';

interface Configuration extends KubeObject {
  readonly webhooks?: readonly unknown[];
}

function configuration(...expressions: readonly string[]): Configuration {
  return {
    metadata: { name: 'context-syncer' },
    webhooks: [
      {
        name: 'contexts.example.com',
        matchConditions: expressions.map((expression, index) => ({ name: `c${index}`, expression })),
      },
    ],
  };
}

const ours = "object.?metadata.?annotations[?'kubed.appscode.com/sync-contexts'].hasValue()";
const theirs = 'object.metadata.annotations["other.example/sync-contexts"] != ""';

const sentence = (annotation: string): string =>
  `ValidatingWebhookConfiguration "context-syncer": the match conditions of webhook "contexts.example.com" name ${annotation}, but must name kubed.appscode.com/sync-contexts; correct them, or --annotation-prefix.`;
const unclear =
  'ValidatingWebhookConfiguration "context-syncer": the match conditions of webhook "contexts.example.com" do not name kubed.appscode.com/sync-contexts; check that they let objects pass whose annotation is new or changed.';

function together(...configurations: readonly Configuration[]): Configuration {
  return {
    metadata: { name: 'context-syncer' },
    webhooks: configurations.flatMap(({ webhooks = [] }) => webhooks),
  };
}

it.each<[string, Configuration, readonly string[], string | undefined]>([
  ['our annotation', configuration(ours), [], undefined],
  ['our annotation among others', configuration('true', theirs, ours), [], undefined],
  ['an exclusion more', configuration(ours, "request.userInfo.username != 'flux'"), [], undefined],
  ['no conditions at all', configuration(), [], undefined],
  [
    'another prefix',
    configuration(theirs),
    [sentence('other.example/sync-contexts')],
    sentence('other.example/sync-contexts'),
  ],
  [
    'a prefix that ends as ours does',
    configuration('object.metadata.annotations["x.kubed.appscode.com/sync-contexts"] != ""'),
    [sentence('x.kubed.appscode.com/sync-contexts')],
    sentence('x.kubed.appscode.com/sync-contexts'),
  ],
  [
    'another prefix in one of two webhooks',
    together(configuration(theirs), configuration(ours)),
    [sentence('other.example/sync-contexts')],
    undefined,
  ],
  ['other conditions', configuration('true'), [unclear], undefined],
  [
    'our prefix in other words',
    configuration("object.metadata.annotations.exists(k, k.startsWith('kubed.appscode.com/'))", theirs),
    [unclear],
    undefined,
  ],
  [
    'no webhooks',
    { metadata: { name: 'context-syncer' } },
    ['ValidatingWebhookConfiguration "context-syncer" has no webhooks, so nothing is sent here.'],
    undefined,
  ],
])('a configuration with %s', (_what, found, problems, otherPrefix) => {
  expect(findingsOf('context-syncer', found, keys)).toEqual({ problems, otherPrefix });
});

it('is looked at again when it changes, and said to be wrong once', async () => {
  const clock = new ManualClock();
  const api = new FakeApi(clock);
  const warnings: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message) => void warnings.push(message),
    error: () => undefined,
    with: () => logger,
  };
  const watch = new ConfigurationWatch({
    client: api,
    name: 'context-syncer',
    keys: keysOf('kubed.appscode.com'),
    clock,
    random: () => 0,
    logger,
  });
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  await clock.advance(0);
  expect(watch.problems).toEqual([]);
  expect(warnings).toEqual(['webhook configuration does not exist, so nothing is sent here']);

  api.put(validatingWebhookConfigurations, configuration(theirs));
  await clock.advance(0);
  expect(watch.problems).toHaveLength(1);
  api.put(validatingWebhookConfigurations, {
    ...configuration(theirs),
    metadata: { name: 'context-syncer', labels: {} },
  });
  await clock.advance(0);
  expect(warnings.slice(1)).toEqual(['webhook configuration is wrong']);

  api.failNext('watch', new ApiError(403, 'Forbidden'));
  api.endWatches();
  await clock.advance(1_000);
  expect(watch.problems).toHaveLength(1);

  api.put(validatingWebhookConfigurations, configuration(ours));
  await clock.until(() => watch.problems.length === 0);
  expect(warnings.slice(2)).toEqual(['webhook configuration cannot be read']);
});

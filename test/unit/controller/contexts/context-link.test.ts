import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContextLink, newLinkStatus } from '../../../../controller/contexts/context-link.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../../shared/kube/object.ts';
import { namespaces } from '../../../../shared/kube/resource.ts';
import { silentLogger } from '../../../../shared/logger.ts';
import { FakeApi } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

let clock: ManualClock;
let api: FakeApi;
/** Uid of the namespace on the source cluster; an error while that does not answer. */
let onSource: string | Error;
let stop: AbortController;
let link: ContextLink;
let running: Promise<void>;

beforeEach(async () => {
  clock = new ManualClock();
  api = new FakeApi(clock);
  api.put(namespaces, { metadata: { name: 'team' } });
  // A Role in its namespace is all that the context has.
  api.fault = ({ name }) => (name === 'kube-system' ? { before: new ApiError(403, 'Forbidden') } : undefined);
  [onSource, stop] = ['of-the-source', new AbortController()];
  link = new ContextLink({
    name: 'c',
    namespace: 'team',
    server: api.server,
    client: api,
    status: newLinkStatus,
    sourceNamespaceUid: () =>
      typeof onSource === 'string' ? Promise.resolve(onSource) : Promise.reject(onSource),
    clock,
    random: () => 0.5,
    logger: silentLogger,
    onChange: () => undefined,
  });
  running = link.run(stop.signal);
  await clock.advance(100);
});

afterEach(async () => {
  stop.abort();
  await running;
});

describe('a link whose address comes to mean another cluster', () => {
  it('is down until that could be compared with the source cluster', async () => {
    expect([link.state, link.evidence?.sharesSourceNamespace]).toEqual(['up', false]);
    onSource = new TransportError('Timeout', true, '');
    api.drop(namespaces, undefined, 'team');
    const { uid = '' } = api.put<KubeObject>(namespaces, { metadata: { name: 'team' } }).metadata;
    link.suspect();
    await clock.advance(100);
    expect([link.state, link.problem]).toEqual(['down', expect.stringContaining('source cluster')]);

    onSource = uid;
    await clock.advance(10_000);
    expect([link.state, link.evidence?.sharesSourceNamespace]).toEqual(['up', true]);
  });

  it('stays up while the source cluster is silent, as long as it is the same', async () => {
    onSource = new TransportError('Timeout', true, '');
    for (let time = 0; time < 3; time += 1) {
      link.suspect();
      await clock.advance(1_000);
    }
    expect(link.state).toBe('up');
  });
});

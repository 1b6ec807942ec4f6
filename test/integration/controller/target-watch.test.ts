import { expect, onTestFinished, test } from 'vitest';
import { ContextLink, newLinkStatus } from '../../../controller/contexts/context-link.ts';
import { KeptState } from '../../../controller/kept/kept-state.ts';
import { CopyIndex } from '../../../controller/target/copy-index.ts';
import { ForeignCopies } from '../../../controller/target/foreign-copies.ts';
import { TargetWatch } from '../../../controller/target/target-watch.ts';
import { Verification } from '../../../controller/target/verification.ts';
import { type Clock, systemClock } from '../../../shared/clock.ts';
import { connect } from '../../../shared/kube/connection/connection.ts';
import { specFromKubeconfig } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { syncedKind } from '../../../shared/synced-kind.ts';
import { copyRights, grantEverywhere, grantIn, namespaceRights } from '../../harness/rbac.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';
import { cluster, keys, reading } from '../../unit/controller/arbitraries.ts';
import { makeNamespace } from '../kube/admin-client.ts';

const sandbox = useSandbox({ targets: 0, users: [{ name: 'watcher' }] });
const within = { timeout: 30_000, interval: 20 };
const user = { kind: 'User', name: 'watcher' } as const;

/** A clock whose timers run a hundred times as fast: what waits for minutes is seen within a second. */
function fastClock(): Clock {
  const clock = systemClock();
  return { ...clock, schedule: (ms, run) => clock.schedule(ms / 100, run) };
}

test('all namespaces are watched as soon as the rights allow it, and nothing that was known is forgotten on the way', async () => {
  const place = sandbox().source;
  await Promise.all(['claimed', 'elsewhere'].map((name) => makeNamespace(place, name)));
  for (const namespace of ['claimed', 'elsewhere']) {
    await place.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, aCopy(namespace));
  }
  await grantIn(place, 'claimed', 'copies', user, [copyRights]);
  await grantIn(place, 'default', 'identity', user, [namespaceRights]);
  const link = await linkAs(place.userToken('watcher'));
  const index = new CopyIndex(reading);
  const kept = new KeptState(() => undefined);
  const known: boolean[] = [];
  const isKnown = (namespace: string): boolean =>
    typeof index.observed({ kind: 'ConfigMap', namespace, name: 'omni' }) === 'object';
  const stop = new AbortController();
  const clock = fastClock();
  const watch = new TargetWatch({
    kind: syncedKind('ConfigMap'),
    index,
    keys,
    foreign: new ForeignCopies({ cluster: 'c', reading, clock, logger: silentLogger }),
    claimedNamespaces: () => new Set(['claimed']),
    namespaces: kept.namespacesIn('c'),
    verification: new Verification(clock, Math.random),
    onLost: () => undefined,
    onUnverified: () => undefined,
    onListFailing: () => undefined,
    clock,
    random: Math.random,
    logger: silentLogger,
    onChanged: () => {
      known.push(isKnown('claimed'));
    },
    onListed: () => {
      known.push(isKnown('claimed'));
    },
    signal: stop.signal,
  });
  onTestFinished(async () => {
    stop.abort();
    await watch.close();
  });
  watch.adjust([link]);
  await expect.poll(() => isKnown('claimed'), within).toBe(true);
  expect([isKnown('elsewhere'), kept.namespacesIn('c').of('ConfigMap')]).toEqual([
    false,
    new Set(['claimed']),
  ]);
  known.length = 0;

  await grantEverywhere(place, 'all-copies', user, [copyRights]);
  await expect.poll(() => isKnown('elsewhere'), within).toBe(true);
  expect(known).not.toContain(false);
  expect(kept.namespacesIn('c').of('ConfigMap')).toEqual(new Set());

  // The wide watch is the one in use now.
  await place.request('DELETE', '/api/v1/namespaces/claimed/configmaps/omni');
  await expect.poll(() => isKnown('claimed'), within).toBe(false);
});

/** A copy of ours as far as its marks go. */
function aCopy(namespace: string): unknown {
  const source = { namespace: 'demo', name: 'omni', uid: 'u', resourceVersion: '1' };
  const origin = { ...source, clusterUID: cluster.uid, copy: { namespace, name: 'omni' } };
  return {
    metadata: {
      name: 'omni',
      labels: { [keys.originCluster]: cluster.name },
      annotations: { [keys.origin]: JSON.stringify(origin) },
    },
  };
}

/** A link that answers, with the rights of a token. */
async function linkAs(token: string): Promise<ContextLink> {
  const place = sandbox().source;
  const kubeconfig = sandbox().contextsKubeconfig([{ name: 'c', cluster: place, user: { token } }]);
  const client = connect(specFromKubeconfig(kubeconfig, { baseDirectory: undefined }), {
    clock: systemClock(),
    logger: silentLogger,
    userAgent: 'context-syncer-test',
  });
  const up = Promise.withResolvers<undefined>();
  const link = new ContextLink({
    name: 'c',
    namespace: undefined,
    server: client.server,
    client,
    status: newLinkStatus,
    sourceNamespaceUid: () => Promise.resolve(undefined),
    clock: systemClock(),
    random: Math.random,
    logger: silentLogger,
    onChange: () => {
      up.resolve(undefined);
    },
  });
  const stop = new AbortController();
  const running = link.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
    await client.close();
  });
  await up.promise;
  return link;
}

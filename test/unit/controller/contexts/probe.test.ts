import { beforeEach, describe, expect, it } from 'vitest';
import type { ClusterEvidence } from '../../../../controller/contexts/evidence.ts';
import { isStillCluster, probeCluster } from '../../../../controller/contexts/probe.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { namespaces } from '../../../../shared/kube/resource.ts';
import { FakeApi, type FakeCall } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

let api: FakeApi;

beforeEach(() => {
  api = new FakeApi(new ManualClock());
  for (const name of ['kube-system', 'default', 'team']) {
    api.put(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
});

function probe(namespace?: string, onSource?: string): Promise<ClusterEvidence> {
  return probeCluster(api, namespace, () => Promise.resolve(onSource), {});
}

function refuse(refused: (call: FakeCall) => boolean, error: Error = new ApiError(403, 'Forbidden')): void {
  api.fault = (call) => (refused(call) ? { before: error } : undefined);
}

function uidOf(namespace: string): string | undefined {
  return api.peek(namespaces, undefined, namespace)?.metadata.uid;
}

describe('asking a cluster who it is', () => {
  it('finds its strongest identity, whatever the context is bound to', async () => {
    const evidence = await probe('team');
    expect(evidence).toMatchObject({
      kubeSystemUid: uidOf('kube-system'),
      namespace: { name: 'team', uid: uidOf('team') },
      sharesSourceNamespace: undefined,
    });
    expect(await probe()).toMatchObject({ namespace: { name: 'default' } });
  });

  it('needs only the rights of a namespaced Role, and compares the namespace with the source’s', async () => {
    refuse(({ resource, name }) => resource?.plural === 'namespaces' && name === 'kube-system');
    expect(await probe('team', 'another uid')).toMatchObject({
      kubeSystemUid: undefined,
      namespace: { name: 'team', uid: uidOf('team') },
      sharesSourceNamespace: false,
    });
    expect(await probe('team', uidOf('team'))).toMatchObject({ sharesSourceNamespace: true });
  });

  it('is no failure where nothing may be read', async () => {
    refuse(() => true);
    expect(await probe('team')).toEqual({
      kubeSystemUid: undefined,
      namespace: undefined,
      sharesSourceNamespace: undefined,
    });
  });

  it.each([
    new ApiError(401, 'Unauthorized'),
    new ApiError(500, 'ServerError'),
    new TransportError('Timeout', true, ''),
  ])('fails where the cluster gives no answer: %s', async (error) => {
    refuse(({ name }) => name === 'team', error);
    await expect(probe('team')).rejects.toBe(error);
  });

  it('sees with one request whether it still is the same cluster', async () => {
    const evidence = await probe('team');
    api.calls.length = 0;
    expect(await isStillCluster(api, evidence, {})).toBe(true);
    expect(api.calls).toHaveLength(1);
    expect(await isStillCluster(api, { ...evidence, kubeSystemUid: 'of another' }, {})).toBe(false);
    expect(await isStillCluster(api, { namespace: { name: 'team', uid: 'of another' } }, {})).toBe(false);
    expect(await isStillCluster(api, {}, {})).toBe(false);
  });
});

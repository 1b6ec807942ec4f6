import { beforeEach, describe, expect, it } from 'vitest';
import type { ClusterEvidence } from '../../../../controller/contexts/evidence.ts';
import { probeCluster } from '../../../../controller/contexts/probe.ts';
import { ApiError, TransportError } from '../../../../shared/kube/errors.ts';
import { configMaps, namespaces } from '../../../../shared/kube/resource.ts';
import { anObject, FakeApi, type FakeCall } from '../../fakes/fake-api.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

let api: FakeApi;

beforeEach(() => {
  api = new FakeApi(new ManualClock());
  for (const name of ['kube-system', 'default', 'team']) {
    api.put(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const rootCa = anObject(configMaps, name, 'kube-root-ca.crt');
    api.put(configMaps, { ...rootCa, data: { 'ca.crt': 'the certificate' } });
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
    expect(evidence.rootCaHash).toMatch(/^[0-9a-f]{64}$/);
    expect(await probe()).toMatchObject({ namespace: { name: 'default' } });
  });

  it('makes do with the rights of a namespaced Role, and compares the namespace with the source’s', async () => {
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
      rootCaHash: undefined,
      sharesSourceNamespace: undefined,
    });
  });

  it.each([
    new ApiError(401, 'Unauthorized'),
    new ApiError(500, 'ServerError'),
    new TransportError('Timeout', true, ''),
  ])('fails where the cluster gives no answer: %s', async (error) => {
    refuse(({ resource }) => resource?.plural === 'configmaps', error);
    await expect(probe('team')).rejects.toBe(error);
  });
});

import { readFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../shared/clock.ts';
import type { KubeClient } from '../../../shared/kube/client.ts';
import { connect } from '../../../shared/kube/connection/connection.ts';
import { specFromKubeconfig } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import { silentLogger } from '../../../shared/logger.ts';
import type { ControlPlane } from '../../sandbox/sandbox.ts';

/** The project's own client, as the control plane's admin; closed when the test is over. */
export async function adminClient(cluster: ControlPlane): Promise<KubeClient> {
  const text = await readFile(cluster.kubeconfigFile, 'utf8');
  const client = connect(specFromKubeconfig(text, { baseDirectory: undefined }), {
    clock: systemClock(),
    logger: silentLogger,
    userAgent: 'context-syncer-test',
  });
  onTestFinished(() => client.close());
  return client;
}

/** A fresh namespace of this name. */
export async function makeNamespace(cluster: ControlPlane, name: string): Promise<void> {
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name } });
}

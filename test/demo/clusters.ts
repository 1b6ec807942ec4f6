import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ContextSpec, type Sandbox, startSandbox } from '../sandbox/sandbox.ts';

/** The tutorial's object and where it is copied to. */
export const name = 'omni';
export const namespace = 'demo';
export const targets = [
  { context: 'context-1', namespace: 'demo', ownNamespace: undefined },
  // The second context carries a namespace, so its copies go there.
  { context: 'context-2', namespace: 'demo-cluster-2', ownNamespace: 'demo-cluster-2' },
] as const;

export const sourceContext = 'source';
/** A third context: the first one's cluster by another spelling of its address. */
export const alias = 'context-1-alias';

/** The three clusters of the demo and the files that tell how to reach them. */
export interface Clusters {
  readonly sandbox: Sandbox;
  /** Temporary, of this demo alone. */
  readonly folder: string;
  /** The targets: what the controller is given. */
  readonly contextsKubeconfig: string;
  /** The source and the targets: what a person would have. */
  readonly kubeconfig: { readonly file: string; readonly text: string };
  /** Stops the clusters and removes the folder. */
  stop(): Promise<void>;
}

export async function startClusters(): Promise<Clusters> {
  const sandbox = await startSandbox({ targets: targets.length });
  const contexts = sandbox.targets.flatMap((cluster, index): readonly ContextSpec[] => {
    const target = targets[index];
    if (target === undefined) {
      return [];
    }
    const { context, ownNamespace } = target;
    const spec = {
      name: context,
      cluster,
      ...(ownNamespace === undefined ? {} : { namespace: ownNamespace }),
    };
    const server = `https://localhost:${cluster.port}`;
    return index === 0 ? [spec, { name: alias, cluster, server }] : [spec];
  });
  const folder = await mkdtemp(join(tmpdir(), 'context-syncer-demo-'));
  const contextsKubeconfig = join(folder, 'contexts.yaml');
  const file = join(folder, 'kubeconfig.yaml');
  const text = sandbox.contextsKubeconfig([{ name: sourceContext, cluster: sandbox.source }, ...contexts]);
  await writeFile(contextsKubeconfig, sandbox.contextsKubeconfig(contexts), { mode: 0o600 });
  await writeFile(file, text, { mode: 0o600 });
  return {
    sandbox,
    folder,
    contextsKubeconfig,
    kubeconfig: { file, text },
    async stop() {
      await sandbox.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

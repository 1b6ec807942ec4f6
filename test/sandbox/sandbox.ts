import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Binaries, ensureBinaries } from './binaries/binaries.ts';
import { ControlPlane } from './control-plane/control-plane.ts';
import { makeCredentials, type TokenUser } from './control-plane/credentials.ts';
import { Keeper } from './control-plane/keeper.ts';
import { type ContextSpec, kubeconfig } from './control-plane/kubeconfig.ts';
import { freePort } from './network/free-port.ts';

export type { ControlPlane, Snapshot } from './control-plane/control-plane.ts';
export type { TokenUser } from './control-plane/credentials.ts';
export type { ClusterAddress, ContextSpec, ContextUser } from './control-plane/kubeconfig.ts';

export interface SandboxOptions {
  /** How many target control planes, besides the source. */
  readonly targets: number;
  /** Users that get a bearer token (`ControlPlane.userToken`) on every control plane. */
  readonly users?: readonly TokenUser[];
  /** Where ports come from; free ports of 127.0.0.1 when absent. */
  readonly pickPort?: () => Promise<number>;
  /** Every control plane writes who asked for what into its `auditLogFile`; `bodies`: and what was written. */
  readonly audit?: boolean | 'bodies';
  /** All control planes have one certificate authority and the same tokens, so that one can take another's place. */
  readonly sharedCredentials?: boolean;
  /** Where target control planes have tokens reviewed that they do not know: a webhook token authenticator. */
  readonly tokenReviewUrl?: string;
  /** More flags for the source's kube-apiserver. */
  readonly sourceFlags?: readonly string[];
}

/** Real control planes on 127.0.0.1, with data that is thrown away. */
export interface Sandbox extends AsyncDisposable {
  readonly source: ControlPlane;
  readonly targets: readonly ControlPlane[];
  /** Temporary, of this sandbox alone; removed in the end. Tests may put files of their own into it. */
  readonly folder: string;
  /** Where the processes write; kept after `keepLogs`, and when one of them fails. */
  readonly logFolder: string;
  readonly binaries: Binaries;
  readonly keeperPid: number;
  /** A kubeconfig as YAML. */
  contextsKubeconfig(contexts: readonly ContextSpec[]): string;
  /** From now on the logs outlive the sandbox. */
  keepLogs(): Promise<void>;
  /** Kills everything that was started and removes the folder. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts a source and `targets` control planes side by side: 2-6 s once the binaries are there. They end with
 * `stop`, and with this process, however it ends.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const binaries = await ensureBinaries({ env: process.env });
  const folder = await mkdtemp(join(tmpdir(), 'context-syncer-sandbox-'));
  const logFolder = join(folder, 'logs');
  await mkdir(logFolder);
  const keeper = await Keeper.start(folder);
  const { users = [] } = options;
  const shared = options.sharedCredentials === true ? makeCredentials('shared', users) : undefined;
  const start = async (name: string): Promise<ControlPlane> =>
    ControlPlane.start({
      name,
      folder,
      binaries,
      keeper,
      credentials: await (shared ?? makeCredentials(name, users)),
      pickPort: options.pickPort ?? freePort,
      audit: options.audit === true ? 'metadata' : options.audit || undefined,
      tokenReviewUrl: name === 'source' ? undefined : options.tokenReviewUrl,
      flags: name === 'source' ? options.sourceFlags : undefined,
    });
  const names = Array.from({ length: options.targets }, (_, index) => `target-${index + 1}`);
  const started = await Promise.allSettled([start('source'), ...names.map(start)]);
  const failures = started.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  const running = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const [source, ...targets] = running;

  const stop = async (): Promise<void> => {
    await Promise.all(running.map((controlPlane) => controlPlane.close()));
    await keeper.end();
  };
  if (failures.length > 0 || source === undefined) {
    await keeper.keepLogs();
    await stop();
    throw new AggregateError(
      failures,
      `the sandbox did not start; logs: ${logFolder}: ${failures.map(String).join('; ')}`,
    );
  }
  return {
    source,
    targets,
    folder,
    logFolder,
    binaries,
    keeperPid: keeper.pid,
    contextsKubeconfig: kubeconfig,
    keepLogs: () => keeper.keepLogs(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binaries } from '../binaries/binaries.ts';
import { ApiServer } from './api-server.ts';
import { type Audit, writeAuditPolicy } from './audit-policy.ts';
import type { CertificateAuthority, KeyAndCertificate } from './certificate-authority.ts';
import { files } from './command-lines.ts';
import { ControllerManager } from './controller-manager.ts';
import { type Credentials, writeCredentials } from './credentials.ts';
import { Etcd } from './etcd.ts';
import type { Keeper } from './keeper.ts';
import { kubeconfig } from './kubeconfig.ts';
import { type KubectlOptions, type KubectlResult, runKubectl } from './kubectl.ts';
import type { Method, RequestOptions, RequestResult } from './requester.ts';
import { serviceAccountToken } from './service-account-token.ts';
import { writeTokenReviewKubeconfig } from './token-review-kubeconfig.ts';

export interface ControlPlaneOptions {
  readonly name: string;
  /** The sandbox's folder; the control plane makes its own in it and writes its logs into `logs`. */
  readonly folder: string;
  readonly binaries: Binaries;
  readonly keeper: Keeper;
  readonly credentials: Credentials;
  /** Where the port comes from. */
  readonly pickPort: () => Promise<number>;
  /** What the API server writes into an audit log, if it has one. */
  readonly audit: Audit | undefined;
  /** Where the API server has tokens reviewed that it does not know. */
  readonly tokenReviewUrl: string | undefined;
  /** More flags for the API server. */
  readonly flags: readonly string[] | undefined;
}

/** The data of a control plane at one moment. */
export interface Snapshot {
  readonly folder: string;
}

/** One real etcd and kube-apiserver on 127.0.0.1. Without `startControllerManager`, namespaces stay Terminating. */
export class ControlPlane {
  readonly name: string;
  /** `https://127.0.0.1:PORT`; `https://localhost:PORT` is the same server. */
  readonly url: string;
  readonly port: number;
  /** A file with the admin's kubeconfig; its context is named as this control plane. */
  readonly kubeconfigFile: string;
  /** The log files of etcd and kube-apiserver. */
  readonly logFiles: readonly string[];
  /** One JSON event a line; it exists only where startSandbox was asked for it. */
  readonly auditLogFile: string;
  readonly #options: ControlPlaneOptions;
  readonly #credentials: Credentials;
  #controllerManager: ControllerManager | undefined;
  readonly #apiServer: ApiServer;
  readonly #etcd: Etcd;
  readonly #folder: string;
  #snapshots = 0;
  readonly #kubectl: { readonly binary: string; readonly kubeconfig: string; readonly cacheFolder: string };

  private constructor(
    options: ControlPlaneOptions,
    folder: string,
    etcd: Etcd,
    apiServer: ApiServer,
    logFiles: readonly string[],
  ) {
    const { name, binaries, credentials } = options;
    this.#options = options;
    this.name = name;
    this.port = apiServer.port;
    this.url = `https://127.0.0.1:${apiServer.port}`;
    this.kubeconfigFile = join(folder, files.adminKubeconfig);
    this.logFiles = logFiles;
    this.auditLogFile = join(folder, files.auditLog);
    this.#folder = folder;
    this.#credentials = credentials;
    this.#etcd = etcd;
    this.#apiServer = apiServer;
    this.#kubectl = {
      binary: binaries.kubectl,
      kubeconfig: this.kubeconfigFile,
      cacheFolder: join(folder, 'kubectl'),
    };
  }

  /** Starts one and waits until it is ready. What was started is ended by the keeper, also when this throws. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const { name, keeper, binaries, credentials } = options;
    const folder = join(options.folder, name);
    const etcdLog = join(options.folder, 'logs', `${name}-etcd.log`);
    const apiServerLog = join(options.folder, 'logs', `${name}-kube-apiserver.log`);
    await mkdir(folder, { mode: 0o700 });
    const etcd = await Etcd.start({ name, binary: binaries.etcd, folder, logFile: etcdLog, keeper });
    await writeCredentials(folder, credentials);
    if (options.audit !== undefined) {
      await writeAuditPolicy(folder, options.audit);
    }
    if (options.tokenReviewUrl !== undefined) {
      await writeTokenReviewKubeconfig(folder, options.tokenReviewUrl);
    }
    const apiServer = await ApiServer.start({
      name,
      instance: 'kube-apiserver',
      binary: binaries.kubeApiserver,
      folder,
      logFile: apiServerLog,
      caPem: credentials.ca.certPem,
      adminToken: credentials.adminToken,
      keeper,
      etcd,
      pickPort: options.pickPort,
      audit: options.audit !== undefined,
      tokenReviews: options.tokenReviewUrl !== undefined,
      flags: options.flags,
    });
    const started = new ControlPlane(options, folder, etcd, apiServer, [etcdLog, apiServerLog]);
    await writeFile(started.kubeconfigFile, kubeconfig([{ name, cluster: started }]), { mode: 0o600 });
    return started;
  }

  /** Signs the serving certificate (localhost, 127.0.0.1, 127.0.0.2, kubernetes.default) and client certificates. */
  get ca(): CertificateAuthority {
    return this.#credentials.ca;
  }

  get caPem(): string {
    return this.#credentials.ca.certPem;
  }

  /** A token of group system:masters. */
  get adminToken(): string {
    return this.#credentials.adminToken;
  }

  /** Process ids of etcd and kube-apiserver. */
  get pids(): readonly number[] {
    return [this.#etcd.pid, this.#apiServer.pid];
  }

  /** Runs the sandbox's kubectl as admin; throws KubectlError unless `allowFailure`. */
  async kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult> {
    return await runKubectl(this.#kubectl, args, options);
  }

  /** One request as admin; throws RequestError from status 400 up unless `allowFailure`. */
  async request<T = unknown>(
    method: Method,
    path: string,
    body?: unknown,
    options?: RequestOptions,
  ): Promise<RequestResult<T>> {
    return await this.#apiServer.requester.request<T>(method, path, body, options);
  }

  /** The token of a user that startSandbox was given. */
  userToken(user: string): string {
    const token = this.#credentials.userTokens.get(user);
    if (token === undefined) {
      throw new Error(`${this.name} has no token user ${user}: name it in startSandbox({ users })`);
    }
    return token;
  }

  /** A token of a ServiceAccount, valid for an hour; makes the ServiceAccount if it is not there. */
  async serviceAccountToken(namespace: string, account: string): Promise<string> {
    return await serviceAccountToken(this.#apiServer.requester, namespace, account);
  }

  /** A client certificate for any user; nothing needs to know of that user but RBAC. */
  async clientCertificate(user: string, groups: readonly string[] = []): Promise<KeyAndCertificate> {
    return await this.#credentials.ca.client(user, groups);
  }

  /** SIGSTOP to kube-apiserver: connections stand and are accepted, nothing is answered. */
  async pause(): Promise<void> {
    await this.#apiServer.signal('SIGSTOP');
  }

  /** SIGCONT after `pause`. */
  async resume(): Promise<void> {
    await this.#apiServer.signal('SIGCONT');
  }

  /** SIGKILL to kube-apiserver, and waits until it is gone: connections are refused. */
  async kill(): Promise<void> {
    await this.#apiServer.kill();
  }

  /** Starts kube-apiserver again (kills it first if it runs) on the same port and data; waits until it is ready. */
  async restart(): Promise<void> {
    await this.#apiServer.restart();
  }

  /**
   * Another API server on the same etcd, with a port of its own, the same credentials and the same audit log. The caller kills and
   * closes it, before the data is replaced.
   */
  async startReplica(): Promise<ApiServer> {
    return await this.#apiServer.startReplica();
  }

  /** The data as it is now, to come back to with `restore`. Nothing is interrupted. */
  async snapshot(): Promise<Snapshot> {
    this.#snapshots += 1;
    const folder = join(this.#folder, `snapshot-${this.#snapshots}`);
    await this.#etcd.copyData(folder);
    return { folder };
  }

  /**
   * Goes back to a snapshot, as an operator who restores a backup of etcd: same address, certificates, tokens and
   * identity, older data, and resource versions that go back. Waits until it is ready.
   */
  async restore({ folder }: Snapshot): Promise<void> {
    await this.#restartWith(folder);
  }

  /** Makes it anew, empty: same address, certificates and tokens, but another cluster. Waits until it is ready. */
  async rebuild(): Promise<void> {
    await this.#restartWith(undefined);
  }

  /**
   * Compacts etcd up to its present revision: an API server that starts afterwards can continue no watch from an older
   * version, and answers 410.
   */
  async compact(): Promise<void> {
    await this.#etcd.compact();
  }

  /** Namespaces that are deleted go, and what belongs to an owner that is gone. `binary`: of a kube-controller-manager. */
  async startControllerManager(binary: string): Promise<void> {
    const { name, keeper, folder } = this.#options;
    this.#controllerManager = await ControllerManager.start({
      name,
      binary,
      keeper,
      folder: this.#folder,
      logFile: join(folder, 'logs', `${name}-kube-controller-manager.log`),
      kubeconfigFile: this.kubeconfigFile,
    });
  }

  async #restartWith(data: string | undefined): Promise<void> {
    await this.#apiServer.kill();
    await this.#etcd.restartWith(data);
    await this.#apiServer.restart();
    await this.#controllerManager?.restart();
  }

  /** Ends our own connections; the processes are ended by the keeper. */
  async close(): Promise<void> {
    await this.#apiServer.close();
  }
}

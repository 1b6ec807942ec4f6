import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';
import type { ContextSpec, Sandbox, SandboxOptions } from '../sandbox/sandbox.ts';
import { useSandbox } from '../sandbox/use-sandbox.ts';
import { eventually } from './eventually.ts';
import { Program } from './program.ts';

/** The annotation of the default prefix. */
export const syncContexts = 'kubed.appscode.com/sync-contexts';

/** A ConfigMap or Secret as a test reads it. */
export interface StoredObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    /** RFC 3339, whole seconds. */
    readonly creationTimestamp: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly immutable?: boolean;
}

export interface StoredEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string; readonly name: string; readonly uid: string };
}

export type Plural = 'configmaps' | 'secrets';

/** A sandbox with a contexts kubeconfig and the programs of a test. */
export class Stage {
  readonly sandbox: Sandbox;
  /** The kubeconfig with the target contexts that controllers are started with. */
  readonly contextsFile: string;
  readonly #programs: Program[] = [];

  constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
    this.contextsFile = join(sandbox.folder, 'contexts.yaml');
  }

  get source(): ControlPlane {
    return this.sandbox.source;
  }

  /** The n-th target, from 1. */
  target(number: number): ControlPlane {
    const target = this.sandbox.targets[number - 1];
    if (target === undefined) {
      throw new Error(`the sandbox has no target ${number}`);
    }
    return target;
  }

  /** Writes the contexts kubeconfig anew; a running controller takes it over by itself. */
  async setContexts(contexts: readonly ContextSpec[]): Promise<void> {
    await writeFile(this.contextsFile, this.sandbox.contextsKubeconfig(contexts), { mode: 0o600 });
  }

  /** Starts a controller with leader election off by default, and waits until it is ready. It ends with the test. */
  async startController(
    flags: readonly string[] = ['--leader-elect=false'],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Program> {
    const program = this.launchController(flags, env);
    await program.ready();
    return program;
  }

  /** The same without waiting. */
  launchController(
    flags: readonly string[] = ['--leader-elect=false'],
    env: Readonly<Record<string, string>> = {},
  ): Program {
    return this.launch(
      [
        'controller',
        '--cluster-name=hub',
        `--kubeconfig=${this.source.kubeconfigFile}`,
        `--contexts-kubeconfig=${this.contextsFile}`,
        '--health-address=127.0.0.1:0',
        '--metrics-address=127.0.0.1:0',
        '--log-level=debug',
        ...flags,
      ],
      env,
    );
  }

  /** Starts `context-syncer ARGS`, and nothing besides. It ends with the test. */
  launch(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    const program = new Program(args, env);
    this.#programs.push(program);
    return program;
  }

  /** Makes a namespace on every control plane of the sandbox, or on those named. */
  async createNamespace(name: string, places: readonly ControlPlane[] = this.controlPlanes): Promise<void> {
    await Promise.all(
      places.map((place) => place.request('POST', '/api/v1/namespaces', { metadata: { name } })),
    );
  }

  get controlPlanes(): readonly ControlPlane[] {
    return [this.source, ...this.sandbox.targets];
  }

  /** Ends what the test started. */
  async endPrograms(): Promise<void> {
    await Promise.all(this.#programs.splice(0).map((program) => program.kill()));
  }
}

/** One stage for all tests of a file. Programs end after each test. Namespaces are for the tests to tell apart. */
export function useStage(options: SandboxOptions): () => Stage {
  const sandbox = useSandbox(options);
  let stage: Stage | undefined;
  const get = (): Stage => {
    if (stage === undefined) {
      throw new Error('the stage is there inside tests and hooks only');
    }
    return stage;
  };
  beforeAll(() => {
    stage = new Stage(sandbox());
  });
  afterEach(async () => {
    await get().endPrograms();
  });
  afterAll(() => {
    stage = undefined;
  });
  return get;
}

/** The object, or undefined when the API server says that it does not exist. */
export async function find(
  place: ControlPlane,
  plural: Plural,
  namespace: string,
  name: string,
): Promise<StoredObject | undefined> {
  const answer = await place.request<StoredObject>(
    'GET',
    `/api/v1/namespaces/${namespace}/${plural}/${name}`,
    undefined,
    {
      allowFailure: true,
    },
  );
  if (answer.status === 404) {
    return undefined;
  }
  if (answer.status !== 200) {
    throw new Error(`GET ${plural} ${namespace}/${name} on ${place.name}: ${answer.status}`);
  }
  return answer.body;
}

/** Waits until the object exists and `check` does not throw; yields it. */
export async function appears(
  place: ControlPlane,
  plural: Plural,
  namespace: string,
  name: string,
  check: (object: StoredObject) => void = () => undefined,
): Promise<StoredObject> {
  return await eventually(`${plural} ${namespace}/${name} on ${place.name}`, async () => {
    const object = await find(place, plural, namespace, name);
    if (object === undefined) {
      throw new Error('it does not exist');
    }
    check(object);
    return object;
  });
}

/** Waits until the object is gone. */
export async function disappears(
  place: ControlPlane,
  plural: Plural,
  namespace: string,
  name: string,
): Promise<void> {
  await eventually(`${plural} ${namespace}/${name} on ${place.name} goes`, async () => {
    if ((await find(place, plural, namespace, name)) !== undefined) {
      throw new Error('it still exists');
    }
  });
}

/** Waits for an Event about the object; yields it. */
export async function eventAbout(
  place: ControlPlane,
  namespace: string,
  name: string,
  reason: string,
  check: (event: StoredEvent) => void = () => undefined,
): Promise<StoredEvent> {
  return await eventually(`an Event ${reason} about ${namespace}/${name}`, async () => {
    const { body } = await place.request<{ items: readonly StoredEvent[] }>(
      'GET',
      `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name=${name}`,
    );
    const event = body.items.findLast((candidate) => candidate.reason === reason);
    if (event === undefined) {
      throw new Error(
        `there are: ${body.items.map((item) => `${item.reason}: ${item.message}`).join(' | ')}`,
      );
    }
    check(event);
    return event;
  });
}

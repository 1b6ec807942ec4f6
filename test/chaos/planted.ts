import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { programFile } from '../harness/build.ts';
import type { HttpFault } from '../sandbox/network/http-fault-proxy.ts';
import { generateScript } from './generate.ts';
import type { ContentSpec, FaultGroup, Operation, Step } from './operation.ts';
import { type Kind, sourceSlots } from './slots.ts';

/** A known fault, as changes of the built program, and the run in which it must show. */
export interface PlantedFault {
  readonly name: string;
  readonly changes: readonly {
    /** In `dist/`. */
    readonly file: string;
    /** Text that is in the file exactly once: code that moved must not leave a self-test that plants nothing. */
    readonly from: string;
    readonly to: string;
  }[];
  readonly script: readonly Step[];
  /** Part of the violation by which the oracle sees it: a run that fails for another reason does not show that it does. */
  readonly seenAs: string;
}

/** Half of the requests to a cluster are refused; of the reads only, where it says so. */
function failing(cluster: number, status: 429 | 500, ms: number, only?: 'reads'): Step {
  const fault: HttpFault = { kind: 'answer', status, every: 2, ...(only === undefined ? {} : { only }) };
  return { operation: { op: 'fault', cluster, fault, ms }, pauseMs: 0 };
}

const content: ContentSpec = {
  version: 0,
  keys: 2,
  binary: false,
  immutable: false,
  type: 'Opaque',
  labels: 1,
};

/** Makes a source in every slot. */
const sources: readonly Step[] = sourceSlots.map((_, slot) => {
  const operation: Operation = {
    op: 'put-source',
    slot,
    list: 'first,second',
    content: { ...content, version: slot },
  };
  return { operation, pauseMs: 0 };
});

/** Another content for the first source of the kind. */
function edit(kind: Kind, round: number): Step {
  const slot = sourceSlots.findIndex((place) => place.kind === kind);
  return {
    operation: { op: 'edit-source', slot, content: { ...content, version: 100 + round } },
    pauseMs: 0,
  };
}

/** A few operations of the generator, with quiet points between them. */
function seeded(operations: number, faults: readonly FaultGroup[]): readonly Step[] {
  return generateScript({ seed: 1, operations, faults, targets: 2, quietEvery: 20 });
}

export const plantedFaults: readonly PlantedFault[] = [
  {
    name: 'drop an event: deletions of sources are not seen',
    changes: [
      {
        file: 'controller/source/source-index.js',
        from: 'observe(kind, { type, object }) {',
        to: "observe(kind, { type, object }) { if (type === 'DELETED') return;",
      },
    ],
    script: seeded(40, []),
    seenAs: 'should not be there: its source',
  },
  {
    name: 'skip a precondition: deletions name no version',
    changes: [
      {
        file: 'controller/reconcile/target-writer.js',
        from: 'preconditions: { uid: observed.uid, resourceVersion: observed.resourceVersion },',
        to: '',
      },
    ],
    script: seeded(40, []),
    seenAs: 'names no version',
  },
  {
    name: 'take a failed list, and a failed read, for empty',
    changes: [
      {
        file: 'shared/kube/reflector/list.js',
        from: 'const page = await options.client.list(options.resource, {',
        to: `const page = await (async (resource, asked) => {
            try { return await options.client.list(resource, asked); } catch {
                const { metadata } = await options.client.list(resource, { ...asked, limit: 1 });
                return { metadata: { resourceVersion: metadata.resourceVersion }, items: [] };
            }
        })(options.resource, {`,
      },
      {
        file: 'controller/source/source-reader.js',
        from: "if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {\n                return undefined;",
        to: 'if (error !== undefined) {\n                return undefined;',
      },
    ],
    // Watches lose events and end with 410, so that everything is listed again, while half of the lists and reads fail.
    script: [
      ...sources,
      { operation: { op: 'quiet' }, pauseMs: 0 },
      ...[1, 2, 3].flatMap((round): readonly Step[] => [
        failing(0, 500, 6_000, 'reads'),
        { operation: { op: 'fault', cluster: 0, fault: { kind: 'drop-events' }, ms: 1_000 }, pauseMs: 100 },
        edit('ConfigMap', round),
        edit('Secret', round),
        { operation: { op: 'quiet' }, pauseMs: 0 },
      ]),
    ],
    seenAs: 'deletes a copy, but its source',
  },
  {
    name: 'ignore drift',
    changes: [
      {
        file: 'controller/copy/copy-record.js',
        from: 'return record.stamp !== undefined && record.stamp === record.origin?.stamp;',
        to: 'return true;',
      },
    ],
    script: seeded(60, ['copies']),
    seenAs: 'differs from its source',
  },
  {
    name: 'forget a retry',
    changes: [
      {
        file: 'controller/reconcile/retry.js',
        from: "return retryOfFailure(outcome.error, failures, random, role === 'scout' ? scouting : observed);",
        to: 'return undefined;',
      },
    ],
    // Writes fail, and nothing happens afterwards that would have the objects looked at again.
    script: [
      { operation: { op: 'quiet' }, pauseMs: 0 },
      // A server that is busy is no outage, after whose end everything is looked at again.
      failing(1, 429, 4_000),
      ...sources,
      { operation: { op: 'quiet' }, pauseMs: 0 },
    ],
    seenAs: 'is missing',
  },
  {
    name: 'delete without proof',
    changes: [
      {
        file: 'controller/reconcile/release.js',
        from: 'if (live === undefined) {',
        to: 'if (live !== false) {',
      },
    ],
    script: seeded(60, ['contexts']),
    seenAs: 'deletes a copy, but its source',
  },
  {
    name: 'trust a stale read: a payload that is remembered serves for later versions',
    changes: [
      {
        file: 'controller/source/source-reader.js',
        from: 'cached?.resourceVersion === record.resourceVersion',
        to: 'cached !== undefined',
      },
    ],
    script: seeded(60, []),
    seenAs: 'differs from its source',
  },
  {
    name: 'log a value',
    changes: [
      {
        file: 'controller/copy/build-copy.js',
        from: 'const { content } = source;',
        to: 'const { content } = source; console.log(content.data);',
      },
    ],
    script: seeded(20, []),
    seenAs: 'payload is in the log',
  },
];

/**
 * Builds a program with the fault beside the good one and yields its file. Throws where a line is not there as it was: the change
 * has to follow the code.
 */
export async function plant({ name, changes }: PlantedFault, folder: string): Promise<string> {
  const dist = join(programFile, '..', '..');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const copy = join(folder, 'dist');
  await cp(dist, copy, { recursive: true });
  for (const { file, from, to } of changes) {
    const path = join(copy, file);
    const text = await readFile(path, 'utf8');
    if (text.split(from).length !== 2) {
      throw new Error(`planted fault "${name}": ${file} does not hold exactly once: ${from}`);
    }
    await writeFile(
      path,
      text.replace(from, () => to),
    );
  }
  return join(copy, 'cli', 'main.js');
}

import type { HttpFault } from '../sandbox/network/http-fault-proxy.ts';
import { switchedContexts } from './contexts.ts';
import type { ContentSpec, FaultGroup, Operation, Step } from './operation.ts';
import { Random } from './random.ts';
import { copySlots, namespaces, sourceSlots } from './slots.ts';

export interface ScriptOptions {
  readonly seed: number;
  readonly operations: number;
  readonly faults: readonly FaultGroup[];
  readonly targets: number;
  /** Operations between quiet points. */
  readonly quietEvery: number;
  /** Begins with so many operations on sources under controllers of 0.1, which become the present ones then. */
  readonly beforeUpgrade?: number;
}

/** Lists as people write them: mostly good, some with every mistake that a list can have. */
const lists: readonly (readonly [weight: number, list: string | null])[] = [
  [6, 'first'],
  [12, 'first,second'],
  [5, 'second'],
  [4, 'fixed'],
  [3, 'fixed,second'],
  [3, 'team/moving:1'],
  [2, 'first,team/moving:1'],
  [2, 'second,alias'],
  [2, 'alias'],
  [2, 'roaming'],
  [2, ' first , second '],
  [1, 'first,hub'],
  [1, 'first,unknown'],
  [1, 'first,,second'],
  [1, 'gone,second'],
  [1, 'refused,first'],
  [1, ''],
  [1, ','],
  [2, null],
];

type Maker = (random: Random) => Operation;
type Choices = readonly (readonly [weight: number, make: Maker])[];

/** The operations of a seed. Nothing of a run goes into them, so that a script can be replayed and cut down. */
export function generateScript(options: ScriptOptions): readonly Step[] {
  const random = new Random(options.seed);
  const choices: Choices = [
    ...sourceOperations(),
    ...options.faults.flatMap((group) => groups[group](options.targets)),
  ];
  const steps: Step[] = [];
  const { beforeUpgrade = 0 } = options;
  for (let index = 0; index < beforeUpgrade; index++) {
    const operation = random.weighted(sourceOperations())(random);
    steps.push({ operation, pauseMs: random.between(0, 300) });
  }
  if (beforeUpgrade > 0) {
    steps.push({ operation: { op: 'upgrade' }, pauseMs: 0 });
  }
  for (let index = 1; index <= options.operations; index++) {
    const operation = random.weighted(choices)(random);
    // Most follow each other at once; some leave time in which things come level.
    steps.push({
      operation,
      pauseMs: random.chance(0.2) ? random.between(200, 1500) : random.between(0, 60),
    });
    if (index % options.quietEvery === 0 && index !== options.operations) {
      steps.push({ operation: { op: 'quiet' }, pauseMs: 0 });
    }
  }
  return [...steps, { operation: { op: 'quiet' }, pauseMs: 0 }];
}

function contentOf(random: Random): ContentSpec {
  return {
    version: random.between(1, 1_000_000),
    keys: random.weighted([
      [8, random.between(1, 3)],
      [1, 0],
      [1, 60],
    ]),
    binary: random.chance(0.2),
    immutable: random.chance(0.08),
    type: random.chance(0.1) ? 'example.org/other' : 'Opaque',
    labels: random.between(0, 2),
  };
}

const aSource = (random: Random): number => random.between(0, sourceSlots.length - 1);
const aCopy = (random: Random): number => random.between(0, copySlots.length - 1);
const seconds = (random: Random, from: number, to: number): number => random.between(from * 1000, to * 1000);

function sourceOperations(): Choices {
  return [
    [
      16,
      (random) => ({
        op: 'put-source',
        slot: aSource(random),
        list: random.weighted(lists),
        content: contentOf(random),
      }),
    ],
    [16, (random) => ({ op: 'edit-source', slot: aSource(random), content: contentOf(random) })],
    [8, (random) => ({ op: 'list-source', slot: aSource(random), list: random.weighted(lists) })],
    [8, (random) => ({ op: 'delete-source', slot: aSource(random) })],
    [4, (random) => ({ op: 'recreate-source', slot: aSource(random), content: contentOf(random) })],
  ];
}

/** What each group adds, for a number of targets. */
const groups: Readonly<Record<FaultGroup, (targets: number) => Choices>> = {
  copies: (targets) => {
    const cluster = (random: Random): number => random.between(1, targets);
    return [
      [
        6,
        (random) => ({
          op: 'edit-copy',
          cluster: cluster(random),
          slot: aCopy(random),
          edit: random.pick(['data', 'data', 'labels', 'strip-labels', 'strip-origin', 'addition']),
        }),
      ],
      [3, (random) => ({ op: 'delete-copy', cluster: cluster(random), slot: aCopy(random) })],
      [
        1,
        (random) => ({
          op: 'hold-copy',
          cluster: cluster(random),
          slot: aCopy(random),
          ms: seconds(random, 1, 6),
        }),
      ],
    ];
  },
  foreign: (targets) => [
    [
      4,
      (random) => ({
        op: 'put-foreign',
        cluster: random.between(1, targets),
        slot: aCopy(random),
        way: random.pick(['plain', 'clone', 'other-cluster', 'garbage', 'orphan']),
        content: contentOf(random),
      }),
    ],
    [2, (random) => ({ op: 'remove-foreign', cluster: random.between(1, targets), slot: aCopy(random) })],
  ],
  namespaces: (targets) => [[1, deletionOfNamespace(targets)]],
  contexts: () => [
    [2, (random) => ({ op: 'contexts', change: 'toggle', name: random.pick(switchedContexts) })],
    [1, () => ({ op: 'contexts', change: 'repoint' })],
    [1, () => ({ op: 'contexts', change: 'move-namespace' })],
    [1, () => ({ op: 'contexts', change: 'rotate' })],
    [1, (random) => ({ op: 'contexts', change: 'half-written', ms: seconds(random, 0, 4) })],
    [0.5, (random) => ({ op: 'contexts', change: 'garbage', ms: seconds(random, 1, 4) })],
  ],
  controllers: () => {
    const controller = (random: Random): number => random.between(0, 1);
    return [
      [
        2,
        (random) => ({
          op: 'kill-controller',
          controller: controller(random),
          ms: seconds(random, 0, 3),
        }),
      ],
      [
        0.7,
        (random) => ({
          op: 'stop-controller',
          controller: controller(random),
          ms: seconds(random, 0, 3),
        }),
      ],
      [
        1,
        (random) => ({
          op: 'suspend-controller',
          controller: controller(random),
          ms: random.chance(0.5) ? seconds(random, 16, 25) : seconds(random, 1, 6),
        }),
      ],
      [
        2,
        (random) => ({
          op: 'trap',
          when: random.pick(['before', 'after']),
          nth: random.between(1, 6),
          signal: random.chance(0.7) ? 'SIGKILL' : 'SIGSTOP',
          ms: random.chance(0.3) ? seconds(random, 16, 22) : seconds(random, 0, 4),
        }),
      ],
    ];
  },
  servers: (targets) => [
    [
      1,
      (random) => ({
        op: 'kill-server',
        cluster: random.between(0, targets),
        ms: seconds(random, 0, 4),
      }),
    ],
    [
      1,
      (random) => ({
        op: 'pause-server',
        cluster: random.between(0, targets),
        ms: seconds(random, 1, 12),
      }),
    ],
  ],
  network: (targets) => [
    faultChoice(2, targets, (random) =>
      random.pick<HttpFault>([
        { kind: 'slow', ms: random.between(50, 1500) },
        { kind: 'refuse' },
        { kind: 'silent' },
        { kind: 'answer', status: random.pick([429, 500, 503]), every: random.between(1, 3) },
      ]),
    ),
  ],
  watches: (targets) => [
    faultChoice(2, targets, (random) =>
      random.pick<HttpFault>([
        { kind: 'delay-events', ms: random.between(200, 5000) },
        {
          kind: 'delay-events',
          ms: random.between(200, 5000),
          resource: random.pick(['configmaps', 'secrets']),
        },
        { kind: 'repeat-events' },
        { kind: 'drop-events' },
      ]),
    ),
  ],
  answers: (targets) => [
    faultChoice(2, targets, (random) => ({ kind: 'lose-answers', every: random.between(1, 3) })),
  ],
  compaction: (targets) => [
    [0.5, (random) => ({ op: 'compact', cluster: random.between(0, targets), restart: random.chance(0.5) })],
  ],
  swap: (targets) => [
    [
      0.4,
      (random) => {
        const cluster = random.between(0, targets);
        const other = (cluster + random.between(1, targets)) % (targets + 1);
        return { op: 'swap', cluster, with: other, ms: seconds(random, 1, 8) };
      },
    ],
  ],
  rights: (targets) => [
    [0.7, (random) => ({ op: 'rights', cluster: random.between(0, targets), ms: seconds(random, 1, 8) })],
  ],
  restore: (targets) => [
    [1.2, (random) => ({ op: 'snapshot', cluster: random.between(0, targets) })],
    [0.7, (random) => ({ op: 'restore', cluster: random.between(0, targets) })],
  ],
  rebuild: (targets) => [
    [0.15, (random) => ({ op: 'rebuild', cluster: random.between(1, targets) })],
    [0.05, () => ({ op: 'rebuild', cluster: 0 })],
  ],
  clocks: () => [
    [
      0.5,
      (random) => ({
        op: 'clock',
        controller: random.between(0, 1),
        hours: random.pick([-30, -2, 0, 2, 30]),
      }),
    ],
  ],
  replicas: (targets) => [
    [
      0.4,
      (random) => ({
        op: 'replica',
        cluster: random.between(0, targets),
        staleMs: seconds(random, 0, 8),
        ms: seconds(random, 1, 8),
        restart: random.chance(0.5),
      }),
    ],
  ],
  manager: (targets) => [
    [
      1,
      (random) => ({
        op: 'edit-copy',
        cluster: random.between(1, targets),
        slot: aCopy(random),
        edit: 'orphan',
      }),
    ],
    [0.5, deletionOfNamespace(targets)],
  ],
  policies: () => [
    [0.3, (random) => ({ op: 'policies', denied: random.pick<'a' | 'b' | null>(['a', 'b', null]) })],
  ],
};

function deletionOfNamespace(targets: number): Maker {
  return (random) => ({
    op: 'delete-namespace',
    cluster: random.between(1, targets),
    namespace: random.pick(namespaces),
    terminatingMs: seconds(random, 0, 4),
    absentMs: seconds(random, 0, 6),
  });
}

function faultChoice(
  weight: number,
  targets: number,
  fault: (random: Random) => HttpFault,
): readonly [number, Maker] {
  return [
    weight,
    (random) => ({
      op: 'fault',
      cluster: random.between(0, targets),
      fault: fault(random),
      ms: seconds(random, 0, 6),
    }),
  ];
}

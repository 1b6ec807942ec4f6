import * as fc from 'fast-check';
import type { Claim, Creation } from '../../../../controller/claims/claim.ts';
import type { SourceContent } from '../../../../controller/copy/build-copy.ts';
import type { CopyRecord } from '../../../../controller/copy/copy-record.ts';
import type { TargetRef } from '../../../../controller/copy/target-ref.ts';
import type {
  Facts,
  GatheredRelease,
  GatheredSource,
  Release,
} from '../../../../controller/reconcile/facts.ts';
import type { SourceReading } from '../../../../controller/source/source-reader.ts';
import type { Observed } from '../../../../controller/target/copy-index.ts';
import { aSource, versions } from '../arbitraries.ts';

export const target: TargetRef = { kind: 'ConfigMap', namespace: 'team', name: 'omni' };

const sourceNamespaces = ['demo', 'team', 'other'];
const contexts = ['c1', 'c2'];
const stamps = ['stamp-1', 'stamp-2'];

export const claimsArbitrary: fc.Arbitrary<Claim> = fc
  .record({
    namespace: fc.constantFrom(...sourceNamespaces),
    generation: fc.constantFrom('1', '2'),
    resourceVersion: versions,
    creationTimestamp: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
    context: fc.constantFrom(...contexts),
    creation: fc.constantFrom<Creation[]>('allowed', 'ambiguous', 'settling'),
  })
  .map(({ namespace, generation, resourceVersion, creationTimestamp, context, creation }) => ({
    source: aSource({
      namespace,
      uid: `uid-${namespace}-${generation}`,
      resourceVersion,
      creationTimestamp,
    }),
    context,
    cluster: 'cluster-1',
    target,
    creation,
  }));

const contents: fc.Arbitrary<SourceContent> = fc.record({
  namespace: fc.constantFrom(...sourceNamespaces),
  name: fc.constant('omni'),
  uid: fc.constantFrom('uid-demo-1', 'uid-team-1'),
  resourceVersion: versions,
  content: fc.constant({
    data: undefined,
    binaryData: undefined,
    type: undefined,
    immutable: false,
    labels: {},
    annotations: {},
  }),
  stamp: fc.constantFrom(...stamps),
});

const readings: fc.Arbitrary<SourceReading> = fc.oneof(
  contents.map((source) => ({ state: 'read', source }) as const),
  fc.constant({ state: 'changing' } as const),
  fc.constant({ state: 'special' } as const),
);

const gatheredSources: fc.Arbitrary<GatheredSource> = fc.record({
  uid: fc.constantFrom(...sourceNamespaces.flatMap((name) => [`uid-${name}-1`, `uid-${name}-2`])),
  reading: readings,
  fresh: fc.boolean(),
});

const releases: fc.Arbitrary<Release> = fc.oneof(
  fc
    .constantFrom('SourceDeleted' as const, 'AnnotationRemoved' as const, 'ContextDelisted' as const)
    .map((reason) => ({ released: true, reason }) as const),
  fc
    .constantFrom(
      'StillListed' as const,
      'ListInvalid' as const,
      'ContextMoved' as const,
      'ContextUnidentified' as const,
      'PlaceUnrecorded' as const,
    )
    .map((reason) => ({ released: false, reason }) as const),
);

const gatheredReleases: fc.Arbitrary<GatheredRelease> = fc.record({
  uid: fc.constant('uid-copy'),
  resourceVersion: fc.constantFrom('1', '2'),
  release: releases,
});

const records: fc.Arbitrary<CopyRecord> = fc.record({
  uid: fc.constant('uid-copy'),
  resourceVersion: fc.constantFrom('1', '2'),
  ownership: fc.constantFrom('ours', 'adoptable', 'foreign'),
  origin: fc.option(
    fc.record({
      namespace: fc.constantFrom(...sourceNamespaces),
      name: fc.constant('omni'),
      uid: fc.constantFrom('uid-demo-1', 'uid-team-1', 'uid-other-2'),
      resourceVersion: versions,
      stamp: fc.constantFrom(...stamps),
    }),
    { nil: undefined },
  ),
  context: fc.constantFrom(...contexts),
  placed: fc.boolean(),
  sealed: fc.boolean(),
  labelled: fc.boolean(),
  stamp: fc.constantFrom(undefined, ...stamps),
  unverified: fc.boolean(),
  inSyncWith: fc.option(versions, { nil: undefined }),
  answer: fc.constant(0),
  terminating: fc.boolean(),
  additions: fc.constant(undefined),
});

export const standings: fc.Arbitrary<Observed> = fc.oneof(
  { weight: 1, arbitrary: fc.constant('unlisted' as const) },
  { weight: 1, arbitrary: fc.constant('absent' as const) },
  { weight: 6, arbitrary: records },
);

/** Any facts at all, also such as can hardly come together. */
export const facts: fc.Arbitrary<Facts> = fc.record({
  target: fc.constant(target),
  claims: fc.array(claimsArbitrary, { maxLength: 3 }),
  observed: standings,
  looked: fc.boolean(),
  versionsTrusted: fc.boolean(),
  source: fc.option(gatheredSources, { nil: undefined }),
  release: fc.option(gatheredReleases, { nil: undefined }),
});

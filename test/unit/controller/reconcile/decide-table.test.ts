import { expect, test } from 'vitest';
import type { CopyRecord } from '../../../../controller/copy/copy-record.ts';
import { type Decision, decide } from '../../../../controller/reconcile/decide.ts';
import type { Facts, Release } from '../../../../controller/reconcile/facts.ts';
import type { SourceReading } from '../../../../controller/source/source-reader.ts';
import { aClaim, aSource } from '../arbitraries.ts';

/** The source `demo/omni` at version 10, which asks for its copy through context c1. */
const source = aSource({ resourceVersion: '10' });
const claim = aClaim({ source });

const origin = {
  namespace: 'demo',
  name: 'omni',
  uid: source.uid,
  resourceVersion: '10',
  stamp: 'stamp-10',
};

/** Its copy as we wrote it: labelled, content read, given version 10. */
const copy: CopyRecord = {
  uid: 'uid-copy',
  resourceVersion: '500',
  ownership: 'ours',
  origin,
  context: 'c1',
  placed: true,
  sealed: true,
  labelled: true,
  stamp: 'stamp-10',
  unverified: false,
  inSyncWith: undefined,
  terminating: false,
  answer: 0,
  additions: undefined,
};

function reading(resourceVersion: string, stamp: string): SourceReading {
  const content = {
    data: undefined,
    binaryData: undefined,
    type: undefined,
    immutable: false,
    labels: {},
    annotations: {},
  };
  const { namespace, name, uid } = source;
  return { state: 'read', source: { namespace, name, uid, resourceVersion, content, stamp } };
}

function gathered(of: SourceReading, fresh = false): Pick<Facts, 'source'> {
  return { source: { uid: source.uid, reading: of, fresh } };
}

function released(release: Release): Pick<Facts, 'release'> {
  return { release: { uid: copy.uid, resourceVersion: copy.resourceVersion, release } };
}

const present = gathered(reading('10', 'stamp-10'));
const changed = gathered(reading('11', 'stamp-11'));
const ofOther: CopyRecord = { ...copy, origin: { ...origin, namespace: 'other', uid: 'uid-other' } };

/** What is decided, as `action Reason` or `gather fact`; under which facts, on top of a claimed copy in sync. */
const rows: readonly (readonly [decided: string, because: string, given: Partial<Facts>])[] = [
  ['wait TargetNotListed', 'no finished list says what exists there', { observed: 'unlisted' }],
  ['gather source', 'a missing copy needs a payload', { observed: 'absent' }],
  ['create Missing', 'it is claimed and absent', { observed: 'absent', ...present }],
  [
    'refuse AmbiguousCluster',
    'the list names two contexts of the cluster',
    { observed: 'absent', claims: [{ ...claim, creation: 'ambiguous' }] },
  ],
  [
    'wait ContextSettling',
    'a context of the list may turn out to be this cluster',
    { observed: 'absent', claims: [{ ...claim, creation: 'settling' }] },
  ],
  [
    'wait SourceChanging',
    'the live source is not what the index says',
    { observed: 'absent', ...gathered({ state: 'changing' }) },
  ],
  [
    'refuse SpecialSecret',
    'its type never travels',
    { observed: 'absent', ...gathered({ state: 'special' }) },
  ],
  ['leave InSync', 'its content is what was given, and that is the present version', {}],
  [
    'leave InSync',
    'its content was compared with the present version',
    { observed: { ...copy, origin: { ...origin, resourceVersion: '9' }, inSyncWith: '10' } },
  ],
  [
    'leave InSync',
    'the source has a newer version of equal content',
    { observed: { ...copy, origin: { ...origin, resourceVersion: '9' } }, ...present },
  ],
  [
    'leave Unverified',
    'it was given the present version, and its content is read in the background',
    { observed: { ...copy, stamp: undefined, unverified: true } },
  ],
  [
    'gather source',
    'its content was seen by an event only, and its version says nothing',
    { observed: { ...copy, stamp: undefined } },
  ],
  [
    'gather observed',
    'it was given the present content, and may have been changed since',
    { observed: { ...copy, stamp: undefined }, ...present },
  ],
  ['gather source', 'after a restore versions say nothing', { versionsTrusted: false }],
  ['leave InSync', 'after a restore the contents are equal', { versionsTrusted: false, ...present }],
  ['update SourceChanged', 'the source has other content', { ...changed, claims: [newer()] }],
  [
    'gather observed',
    'the source has another version, and what the copy holds is not known',
    { observed: { ...copy, stamp: undefined }, ...changed, claims: [newer()] },
  ],
  ['update Drifted', 'somebody changed its content', { observed: { ...copy, stamp: 'edited' }, ...present }],
  ['update Relabelled', 'somebody took our labels', { observed: { ...copy, labelled: false }, ...present }],
  [
    'update Relabelled',
    'the context has another name now',
    { claims: [{ ...claim, context: 'c2' }], ...present },
  ],
  [
    'gather source',
    'the copy knows a newer version than what is remembered',
    {
      observed: {
        ...copy,
        stamp: 'stamp-12',
        origin: { ...origin, resourceVersion: '12', stamp: 'stamp-12' },
      },
      ...present,
    },
  ],
  [
    'update SourceChanged',
    'the source went back in time: a fresh read says so',
    {
      observed: {
        ...copy,
        stamp: 'stamp-12',
        origin: { ...origin, resourceVersion: '12', stamp: 'stamp-12' },
      },
      ...gathered(reading('10', 'stamp-10'), true),
    },
  ],
  [
    'adopt TakenOver',
    'Kubed made it, and its source claims it',
    { observed: { ...copy, ownership: 'adoptable' }, ...present },
  ],
  ['refuse Unowned', 'it is not ours', { observed: { ...copy, ownership: 'foreign' } }],
  ['wait CopyTerminating', 'finalizers hold it', { observed: { ...copy, terminating: true } }],
  [
    'gather observed',
    'finalizers hold it, and no watch shows when it goes',
    { observed: { ...copy, terminating: true, labelled: false } },
  ],
  [
    'wait CopyTerminating',
    'finalizers still hold it',
    { observed: { ...copy, terminating: true, labelled: false }, looked: true },
  ],
  ['gather release', 'it is the copy of another source', { observed: ofOther }],
  [
    'refuse ClaimedByOther',
    'its own source still asks for it',
    { observed: ofOther, ...released({ released: false, reason: 'StillListed' }) },
  ],
  [
    'wait ContextUnidentified',
    'its own source may still ask for it',
    { observed: ofOther, ...released({ released: false, reason: 'ContextUnidentified' }) },
  ],
  [
    'update Relabelled',
    'its own source let go, and the contents are equal',
    { observed: ofOther, ...released({ released: true, reason: 'SourceDeleted' }), ...present },
  ],
  ['leave Absent', 'nobody claims it', { claims: [], observed: 'absent' }],
  ['leave NotOurs', 'nobody claims it', { claims: [], observed: { ...copy, ownership: 'foreign' } }],
  [
    'leave UnclaimedAdoptable',
    'nobody claims it',
    { claims: [], observed: { ...copy, ownership: 'adoptable' } },
  ],
  [
    'leave Terminating',
    'somebody deletes it already',
    { claims: [], observed: { ...copy, terminating: true } },
  ],
  ['gather release', 'nobody claims it, which proves nothing', { claims: [] }],
  [
    'gather release',
    'the proof is of another version of the copy',
    {
      claims: [],
      release: {
        uid: copy.uid,
        resourceVersion: '499',
        release: { released: true, reason: 'SourceDeleted' },
      },
    },
  ],
  ...(['SourceDeleted', 'AnnotationRemoved', 'ContextDelisted'] as const).map(
    (reason) =>
      [
        `delete ${reason}`,
        'a live read of the source proves it',
        { claims: [], ...released({ released: true, reason }) },
      ] as const,
  ),
  ...(['StillListed', 'ListInvalid', 'ContextMoved'] as const).map(
    (reason) =>
      [
        `leave ${reason}`,
        'a live read of the source shows it',
        { claims: [], ...released({ released: false, reason }) },
      ] as const,
  ),
  [
    'wait ContextUnidentified',
    'a listed context may be another name of this cluster',
    { claims: [], ...released({ released: false, reason: 'ContextUnidentified' }) },
  ],
];

function newer(): typeof claim {
  return aClaim({ source: { ...source, resourceVersion: '11' } });
}

function inWords(decision: Decision): string {
  return decision.action === 'gather' ? `gather ${decision.fact}` : `${decision.action} ${decision.reason}`;
}

test.each(rows)('%s: %s', (decided, _because, given) => {
  const facts: Facts = {
    target: claim.target,
    claims: [claim],
    observed: copy,
    versionsTrusted: true,
    ...given,
  };
  expect(inWords(decide(facts))).toBe(decided);
});

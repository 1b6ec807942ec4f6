import { describe, expect, it } from 'vitest';
import { ContextPolicies } from '../../../shared/catalog/context-policies.ts';
import { keysOf } from '../../../shared/keys.ts';
import {
  type AdmissionRequest,
  type AdmissionResponse,
  type ReviewedObject,
  reviewFormat,
} from '../../../webhook/admission-review.ts';
import { refusalReasons, review } from '../../../webhook/review.ts';
import { aCatalog, aContext } from '../fakes/circumstances.ts';
import { misunderstood } from './answer-schema.ts';
import { annotated, catalog, circumstances, keys, request } from './fixtures.ts';

const known =
  'known contexts are: "alias-of-2", "context-1", "context-2", "down", "fresh", "into-system", "unusable"';

function verdict(more: Partial<AdmissionRequest>): AdmissionResponse {
  return review(request(more), circumstances);
}

function messageFor(list: string, more: Partial<AdmissionRequest> = {}): string | undefined {
  return verdict({ object: annotated(list), ...more }).status?.message;
}

describe('a list that can be served is allowed', () => {
  it.each(['context-1', 'context-1,context-2', ' context-1 , context-2 ', 'fresh', 'unusable', 'down'])(
    '%j',
    (list) => {
      expect(verdict({ object: annotated(list) })).toMatchObject({ uid: 'u-1', allowed: true });
    },
  );
});

describe('a mistake is refused in a whole sentence', () => {
  it.each<[string, string]>([
    [
      'context-9',
      `ConfigMap demo/omni: Context "context-9" is unknown (did you mean "context-1"?); ${known}.`,
    ],
    ['elsewhere', `ConfigMap demo/omni: Context "elsewhere" is unknown; ${known}.`],
    [
      'context-2,alias-of-2',
      'ConfigMap demo/omni: Contexts "context-2" and "alias-of-2" are the same cluster (https://two.example); keep one of them.',
    ],
    [
      'home',
      'ConfigMap demo/omni: Context "home" is the cluster that this object lives in, which is never a target; remove it from the list.',
    ],
    [
      'into-system',
      'ConfigMap demo/omni: Context "into-system" would place the copy in namespace "kube-public", where nothing is ever copied to; give the context another namespace.',
    ],
    [
      '',
      'ConfigMap demo/omni: The annotation kubed.appscode.com/sync-contexts names no context; name at least one, or remove the annotation to remove the copies.',
    ],
    [
      ' , ',
      'ConfigMap demo/omni: The annotation kubed.appscode.com/sync-contexts names no context; name at least one, or remove the annotation to remove the copies.',
    ],
    [
      'context-1,',
      'ConfigMap demo/omni: The annotation kubed.appscode.com/sync-contexts has an empty entry between its commas; remove it.',
    ],
  ])('%j', (list, message) => {
    expect(messageFor(list)).toBe(message);
  });

  it.each(['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token', 'helm.sh/release.v1'])(
    'a Secret of type %s',
    (type) => {
      const object = { ...annotated('context-1'), type };
      const kind = { group: '', version: 'v1', kind: 'Secret' };
      expect(verdict({ kind, object }).status?.message).toMatch(
        new RegExp(`^Secret demo/omni: A Secret of type ${type} is .*; remove the annotation\\.$`),
      );
      expect(verdict({ kind, object: { ...object, type: 'Opaque' } }).allowed).toBe(true);
    },
  );

  it.each(['context-syncer', 'kube-system', 'kube-anything'])('an object of namespace %s', (namespace) => {
    expect(messageFor('context-1', { namespace })).toBe(
      `ConfigMap ${namespace}/omni: Objects of namespace "${namespace}" are never copied; move the object to another namespace.`,
    );
  });

  it('a copy', () => {
    expect(verdict({ object: annotated('context-1', { [keys.origin]: '{}' }) }).status?.message).toContain(
      'so it is itself a copy and cannot be a source',
    );
  });

  it('all of them at once, for people and for machines', () => {
    const { status } = verdict({ object: annotated('context-1,home,,context-7') });
    const sentences = [
      'The annotation kubed.appscode.com/sync-contexts has an empty entry between its commas; remove it.',
      `Context "context-7" is unknown (did you mean "context-1"?); ${known}.`,
      'Context "home" is the cluster that this object lives in, which is never a target; remove it from the list.',
    ];
    const field = 'metadata.annotations[kubed.appscode.com/sync-contexts]';
    expect(status).toEqual({
      code: 422,
      message: `ConfigMap demo/omni has 3 problems:\n${sentences.map((sentence) => `- ${sentence}`).join('\n')}`,
      details: {
        kind: 'ConfigMap',
        name: 'omni',
        causes: [
          { reason: 'EmptyName', message: sentences[0], field },
          { reason: 'UnknownContext', message: sentences[1], field },
          { reason: 'SourceCluster', message: sentences[2], field },
        ],
      },
    });
  });

  it('of many the first twenty are shown', () => {
    const names = Array.from({ length: 30 }, (_, index) => `home-${index}`);
    const contexts = aCatalog(...names.map((name) => aContext(name, { isSource: true })));
    const { status } = review(request({ object: annotated(names.join(',')) }), {
      ...circumstances,
      contexts: { catalog: contexts },
    });
    expect(status?.details?.causes).toHaveLength(20);
    expect(status?.message).toMatch(
      /^ConfigMap demo\/omni has 30 problems:\n[^]*- 10 more problems are not shown\.$/,
    );
  });

  it('as many as an annotation can hold make no answer of that length', () => {
    const list = Array.from({ length: 40_000 }, (_, index) => `n${index}`).join(',');
    expect(messageFor(list)).toMatch(
      /has more than 2000 entries; shorten it\.\n.* and 1990 more are unknown;/,
    );
    expect(messageFor(list)?.length).toBeLessThan(1_000);
  });

  it('a name as long as an annotation can be does not make an answer of that length', () => {
    expect(messageFor('x'.repeat(250_000))?.length).toBeLessThan(3_000);
  });

  it('an object that has no name yet', () => {
    expect(
      messageFor('home', {
        name: '',
        object: { metadata: { annotations: { [keys.syncContexts]: 'home' } } },
      }),
    ).toMatch(/^ConfigMap demo\/\(no name yet\): /);
  });
});

describe('what does not concern us, or corrects a mistake, is allowed', () => {
  const bad = annotated('nowhere');
  const dying = { ...bad, metadata: { ...bad.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };

  it.each<[string, Partial<AdmissionRequest>]>([
    ['DELETE', { operation: 'DELETE', object: null, oldObject: bad }],
    ['DELETE with an object', { operation: 'DELETE', object: bad, oldObject: bad }],
    ['no annotation', { object: annotated(undefined) }],
    ['null annotations', { object: { metadata: { annotations: null } } }],
    ['null metadata', { object: { metadata: null } }],
    ['no object', { object: null }],
    ['a removed annotation', { operation: 'UPDATE', object: annotated(undefined), oldObject: bad }],
    ['an annotation that is bad already', { operation: 'UPDATE', object: bad, oldObject: bad }],
    ['another kind', { kind: { group: 'apps', version: 'v1', kind: 'Deployment' }, object: bad }],
    [
      'a ConfigMap of another group',
      { kind: { group: 'example.com', version: 'v1', kind: 'ConfigMap' }, object: bad },
    ],
  ])('%s', (_what, more) => {
    expect(verdict(more)).toEqual({ uid: 'u-1', allowed: true });
  });

  it.each<[string, Partial<AdmissionRequest>]>([
    ['a new annotation', { operation: 'UPDATE', object: bad, oldObject: annotated(undefined) }],
    ['a changed annotation', { operation: 'UPDATE', object: bad, oldObject: annotated('context-1') }],
    ['an update without its old object', { operation: 'UPDATE', object: bad, oldObject: null }],
    [
      'an object that is being deleted',
      { operation: 'UPDATE', object: dying, oldObject: annotated(undefined) },
    ],
  ])('but not %s', (_what, more) => {
    expect(refusalReasons(verdict(more))).toEqual(['UnknownContext']);
  });

  it('names of the prototype are no annotations', () => {
    const odd = { ...circumstances, keys: { ...keys, syncContexts: 'constructor' } };
    expect(review(request(), odd).allowed).toBe(true);
  });
});

describe('a warning', () => {
  it.each<[string, readonly string[] | undefined]>([
    ['context-1,context-2', undefined],
    ['context-1,context-1', ['Context "context-1" is listed more than once; it counts once.']],
    ['down', ['Context "down" is unreachable since 2026-11-23T09:30Z; its copy follows when it answers.']],
    ['unusable', ['Context "unusable" cannot be used at present: its user "x" does not exist.']],
    ['fresh', undefined],
  ])('%j', (list, warnings) => {
    expect(verdict({ object: annotated(list) })).toEqual({
      uid: 'u-1',
      allowed: true,
      ...(warnings === undefined ? {} : { warnings }),
    });
  });

  it('says why a context cannot be used, in at most 256 characters', () => {
    const problem = `\n${'grant this '.repeat(40)}`;
    const answer = review(request({ object: annotated('c') }), {
      ...circumstances,
      contexts: { catalog: aCatalog(aContext('c', { problem })) },
    });
    const { warnings = [] } = answer;
    const written: unknown = JSON.parse(reviewFormat().write(answer));
    expect(written).toMatchObject({ response: { allowed: true, warnings } });
    expect(misunderstood(written)).toBeUndefined();
    expect(warnings).toEqual([
      expect.stringMatching(/^Context "c" cannot be used at present: {2}grant this .*…$/),
    ]);
    expect(warnings[0]).toHaveLength(256);
  });

  it('comes with a refusal, too', () => {
    expect(verdict({ object: annotated('down,nowhere,down') })).toMatchObject({
      allowed: false,
      warnings: [
        'Context "down" is listed more than once; it counts once.',
        'Context "down" is unreachable since 2026-11-23T09:30Z; its copy follows when it answers.',
      ],
    });
  });

  it('is at most 120 characters long, the ends of a long name in it, and there are at most twenty', () => {
    const names = Array.from({ length: 30 }, (_, index) => `arn:${'y'.repeat(200)}:\n${index}`);
    const contexts = aCatalog(...names.map((name) => aContext(name, { unreachableSince: 0 })));
    const { warnings = [] } = review(request({ object: annotated(names.join(',')) }), {
      ...circumstances,
      contexts: { catalog: contexts },
    });
    expect(warnings).toHaveLength(20);
    expect(warnings.every((warning) => warning.length <= 120 && !warning.includes('\n'))).toBe(true);
    expect(warnings[7]).toMatch(/^Context "arn:y+….*y: 7" is unreachable since 1970/);
    expect(warnings[19]).toBe('11 more warnings are not shown.');
  });
});

describe('without a catalog', () => {
  const without = {
    ...circumstances,
    contexts: { missing: 'The contexts are not known: it is missing; see to it.' },
  };

  it('an annotated object is refused with what is missing, as something that will pass', () => {
    expect(review(request(), without)).toMatchObject({
      allowed: false,
      status: {
        code: 503,
        message: 'ConfigMap demo/omni: The contexts are not known: it is missing; see to it.',
        details: { causes: [{ reason: 'CatalogMissing' }] },
      },
    });
  });

  it('what needs no catalog is reported all the same', () => {
    const response = review(request({ object: annotated('a,,b'), namespace: 'kube-system' }), without);
    expect(response.status?.code).toBe(422);
    expect(refusalReasons(response)).toEqual(['SystemNamespace', 'EmptyName', 'CatalogMissing']);
  });

  it.each<[string, Partial<AdmissionRequest>]>([
    ['plain objects', { object: annotated(undefined) }],
    ['removals', { operation: 'UPDATE', object: annotated(undefined), oldObject: annotated('x') }],
    ['unchanged lists', { operation: 'UPDATE', object: annotated('x'), oldObject: annotated('x') }],
  ])('%s are allowed', (_what, more) => {
    expect(review(request(more), without).allowed).toBe(true);
  });
});

describe('what Kubed leaves behind', () => {
  const metadata = annotated('context-1').metadata ?? {};

  it('does not make a copy of a source that carries its own uid', () => {
    const marked = (uid: string): ReviewedObject => ({
      metadata: {
        ...metadata,
        uid: 'own',
        annotations: { ...metadata.annotations, [keys.origin]: JSON.stringify({ uid }) },
      },
    });
    expect(verdict({ object: marked('own') })).toMatchObject({ allowed: true });
    expect(refusalReasons(verdict({ object: marked('other') }))).toEqual(['CopyAsSource']);
  });

  it.each(['kubed.appscode.com', `${'long.'.repeat(40)}example`])(
    'gets a warning for copies within the cluster, in at most 120 characters with the prefix %s',
    (prefix) => {
      const own = keysOf(prefix);
      const object = { metadata: { annotations: { [own.syncContexts]: 'context-1', [own.sync]: '' } } };
      const { allowed, warnings = [] } = review(request({ object }), { ...circumstances, keys: own });
      expect([allowed, warnings.length]).toEqual([true, 1]);
      expect(warnings[0]).toMatch(/sync is not acted upon/);
      expect(warnings[0]?.length).toBeLessThanOrEqual(120);
    },
  );
});

describe('under policies', () => {
  const policies = new ContextPolicies(
    [{ contexts: ['down', 'context-2'], sourceNamespaces: ['platform'], kinds: ['ConfigMap', 'Secret'] }],
    'allow',
  );
  const restricted = { ...circumstances, contexts: { catalog: { ...catalog, policies } } };
  const from = (namespace: string): AdmissionResponse =>
    review(request({ namespace, object: annotated('down,context-1') }), restricted);

  it('an object is refused a context that is not allowed, and learns nothing about it', () => {
    const { status, warnings } = from('demo');
    expect(status?.message).toBe(
      'ConfigMap demo/omni: The policies do not allow context "down" for ConfigMaps of namespace "demo"; remove it from the list. Allowed contexts are: "alias-of-2", "context-1", "fresh", "into-system", "unusable".',
    );
    expect(warnings).toBeUndefined();
  });

  it('an object of a namespace that they name is allowed', () => {
    expect(from('platform')).toMatchObject({ allowed: true, warnings: [expect.stringContaining('"down"')] });
  });
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { resolve } from '../../../controller/claims/resolve.ts';
import { ownershipOf, parseOrigin } from '../../../controller/copy/origin.ts';
import { CatalogError, formatCatalog, parseCatalog } from '../../../shared/catalog/document.ts';
import { KubeconfigError, parseKubeconfig } from '../../../shared/kube/kubeconfig/kubeconfig.ts';
import { isCopy } from '../../../shared/rules/copy-mark.ts';
import { parseContextList } from '../../../shared/sync-contexts.ts';
import { ReviewError, reviewFormat } from '../../../webhook/admission-review.ts';
import { review } from '../../../webhook/review.ts';
import type { ChaosContext } from '../../chaos/contexts.ts';
import { ownerOf, parseList } from '../../chaos/oracle/marks.ts';
import { wishesOf } from '../../chaos/oracle/wishes.ts';
import { aCatalog, aContext } from '../fakes/circumstances.ts';
import { catalog, circumstances, keys, request } from '../webhook/fixtures.ts';
import { garbled, hostileValues, mutated } from './hostile.ts';

const secretMark = 'hostile-secret-mark';
const runs = { numRuns: 300 };
const ownNamespace = 'context-syncer';

/** What the reader yields; undefined where it refuses with an error of its own kind. Anything else it throws is a failure. */
function readOrRefused<T>(refusal: new (...args: never[]) => Error, reader: () => T): T | undefined {
  try {
    return reader();
  } catch (error) {
    if (error instanceof refusal) {
      return undefined;
    }
    throw error;
  }
}

test('no key of a document reaches the prototype of all objects', () => {
  const text = '{"namespace":"a","name":"one","__proto__":{"polluted":true}}';
  expect(parseOrigin(text)).not.toHaveProperty('polluted');
  expect(parseContextList('__proto__').names).toEqual(['__proto__']);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

describe('a kubeconfig', () => {
  const entries = (name: string): { cluster: object; user: object; context: object } => ({
    cluster: { name, cluster: { server: `https://${name}.example`, 'tls-server-name': 'x' } },
    user: { name, user: { token: secretMark, as: 'somebody', 'as-groups': ['one'] } },
    context: { name, context: { cluster: name, user: name, namespace: 'team' } },
  });
  const [good, other] = [entries('good'), entries('other')];
  const document = (second: typeof other): object => ({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'good',
    clusters: [good.cluster, second.cluster],
    users: [good.user, second.user],
    contexts: [good.context, second.context],
  });

  test('whatever it is, is used or refused without a word of its secrets', () => {
    const texts = fc.oneof(
      mutated(document(other)).map((value) => stringify(value) ?? ''),
      mutated(document(other)).map((value) => JSON.stringify(value) ?? ''),
      garbled(stringify(document(other))),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        let refusal = '';
        const read = readOrRefused(KubeconfigError, () => {
          try {
            return parseKubeconfig(text, { baseDirectory: undefined }).contexts;
          } catch (error) {
            refusal = String(error);
            throw error;
          }
        });
        const told = [
          refusal,
          ...(read ?? []).map((entry) => ('problem' in entry ? entry.problem : '')),
        ].join();
        expect(told).not.toContain(secretMark);
      }),
      runs,
    );
  });

  test('what is wrong with one context leaves the others as they are', () => {
    const usable = parseKubeconfig(stringify(document(other)), { baseDirectory: undefined }).contexts[0];
    const parts = fc.record({
      cluster: mutated(entries('other').cluster).map((value) => renamed(value)),
      user: mutated(entries('other').user).map((value) => renamed(value)),
      context: mutated(entries('other').context).map((value) => renamed(value)),
    });
    fc.assert(
      fc.property(parts, (second) => {
        const { contexts } = parseKubeconfig(JSON.stringify(document(second)), { baseDirectory: undefined });
        expect(contexts.find(({ name }) => name === 'good')).toEqual(usable);
      }),
      runs,
    );
  });

  test('aliases that would grow beyond all bounds are refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 12; level++) {
      const before = `*a${level - 1}`;
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => before).join(', ')}]`);
    }
    lines.push('contexts: *a11');
    expect(() => parseKubeconfig(lines.join('\n'), { baseDirectory: undefined })).toThrow(KubeconfigError);
  });

  /** An entry stays one of its own name: two entries of one name are another mistake. */
  function renamed(value: unknown): object {
    return { ...(typeof value === 'object' && value !== null ? value : {}), name: 'other' };
  }
});

describe('an origin', () => {
  const perfect = {
    namespace: 'a',
    name: 'one',
    uid: 'uid',
    resourceVersion: '1',
    clusterUID: 'source',
    copy: { namespace: 'b', name: 'one' },
    context: 'first',
    labels: ['x'],
  };
  const texts = fc.oneof(
    mutated(perfect).map((value) => JSON.stringify(value) ?? ''),
    garbled(JSON.stringify(perfect)),
    hostileValues.map((value) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))),
  );
  const cluster = { uid: 'source', name: 'hub', takeOverFromUid: 'before' };

  test('makes an object ours exactly where another reading of the rules says so', () => {
    fc.assert(
      fc.property(texts, fc.constantFrom('a', 'b'), (text, namespace) => {
        const metadata = {
          name: 'one',
          namespace,
          uid: 'u',
          resourceVersion: '2',
          annotations: { [keys.origin]: text },
        };
        const ownership = ownershipOf(metadata, parseOrigin(text), keys, cluster);
        expect(ownership === 'adoptable' ? 'to-be-taken-over' : ownership).toBe(
          ownerOf({ metadata }, 'source', 'before'),
        );
        // Whatever its text is, an object that carries one is no source, unless it names itself.
        expect(isCopy(metadata, keys) || parseOrigin(text)?.uid === 'u' || text.includes('"u"')).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a list of contexts', () => {
  const names = fc.constantFrom(
    'first',
    'second',
    'fixed',
    'hub',
    'gone',
    'unknown',
    '',
    ' ',
    '__proto__',
    'constructor',
    '🦆',
  );
  const lists = fc.oneof(
    fc.array(names, { maxLength: 6 }).map((list) => list.join(',')),
    fc.array(names, { maxLength: 6 }).map((list) => list.join(' , ')),
    fc.string({ unit: 'binary' }),
    fc.constant('first,'.repeat(40_000)),
  );
  const contexts: readonly ChaosContext[] = [
    { name: 'first', cluster: 1, way: 'proxy' },
    { name: 'fixed', cluster: 1, namespace: 'shared', way: 'proxy' },
    { name: 'second', cluster: 2, way: 'proxy' },
    { name: 'closed', cluster: 2, namespace: 'kube-system', way: 'proxy' },
    { name: 'hub', cluster: 0, way: 'direct' },
    { name: 'gone', cluster: undefined, way: 'nowhere' },
  ];
  const known = aCatalog(
    ...contexts.map(({ name, cluster, namespace }) =>
      aContext(name, {
        namespace,
        cluster: cluster === undefined ? `url:${name}` : `cluster ${cluster}`,
        identified: cluster !== undefined,
        isSource: cluster === 0,
      }),
    ),
  );

  test('asks for the same as another reading of the rules', () => {
    const sources = fc.record({
      list: lists.filter((list) => list.split(',').length <= 2_000),
      namespace: fc.constantFrom('a', 'kube-public', ownNamespace),
      isCopy: fc.boolean(),
    });
    fc.assert(
      fc.property(sources, ({ list, namespace, isCopy: copy }) => {
        const {
          asks,
          violations,
          names: read,
        } = resolve(
          { kind: 'ConfigMap', namespace, isCopy: copy, syncContexts: list },
          { keys, ownNamespace, catalog: known },
        );
        const wishes = wishesOf({ namespace, list, isCopy: copy }, contexts);
        expect(read).toEqual(parseList(list).names);
        expect(violations.length === 0).toBe(wishes.isValid);
        expect(
          asks.map((ask) => [
            ask.context,
            ask.cluster,
            ask.namespace ?? namespace,
            ask.creation === 'allowed',
          ]),
        ).toEqual(
          wishes.asks.map((ask) => [ask.context, `cluster ${ask.cluster}`, ask.namespace, ask.creates]),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  test('has bounded names, however long it is', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const { names: read, isTooLong } = parseContextList(list);
        expect(read.length).toBeLessThanOrEqual(2_000);
        expect(isTooLong).toBe(list.split(',').length > 2_000);
      }),
      runs,
    );
  });
});

describe('a catalog', () => {
  const document: unknown = JSON.parse(formatCatalog(catalog));
  const texts = fc.oneof(
    mutated(document).map((value) => JSON.stringify(value) ?? ''),
    garbled(formatCatalog(catalog)),
  );

  test('whatever its text is, is read or refused, and an object gets a verdict by what was read', () => {
    const format = reviewFormat();
    fc.assert(
      fc.property(texts, (text) => {
        const read = readOrRefused(CatalogError, () => parseCatalog(text)) ?? catalog;
        const answer = review(request(), { ...circumstances, contexts: { catalog: read } });
        expect(format.write(answer)).toContain('"uid":"u-1"');
      }),
      runs,
    );
  });
});

describe('an AdmissionReview', () => {
  const body = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: request({ oldObject: request().object ?? null, operation: 'UPDATE' }),
  };

  test('whatever it holds, is refused as malformed or gets an answer that an API server takes', () => {
    const format = reviewFormat();
    fc.assert(
      fc.property(fc.oneof(mutated(body), hostileValues), (value) => {
        const sent: unknown = JSON.parse(JSON.stringify(value) ?? 'null');
        const asked = readOrRefused(ReviewError, () => format.read(sent)) ?? request();
        const answer = review(asked, circumstances);
        expect(answer.uid).toBe(asked.uid);
        expect(format.write(answer).length).toBeLessThan(1_000_000);
      }),
      { numRuns: 1_000 },
    );
  });
});

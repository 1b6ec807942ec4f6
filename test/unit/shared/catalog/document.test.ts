import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CatalogContext } from '../../../../shared/catalog/catalog.ts';
import type { CatalogSettings } from '../../../../shared/catalog/catalog-settings.ts';
import { ContextPolicies } from '../../../../shared/catalog/context-policies.ts';
import { CatalogError, formatCatalog, parseCatalog } from '../../../../shared/catalog/document.ts';
import { aCatalog } from '../../fakes/circumstances.ts';

const plain: CatalogContext = {
  name: 'context-1',
  cluster: 'uid-1',
  identified: true,
  settling: false,
  isSource: false,
};

function problems(text: string): readonly string[] {
  try {
    parseCatalog(text);
    return [];
  } catch (error) {
    if (error instanceof CatalogError) {
      return error.problems;
    }
    throw error;
  }
}

const filled = fc.string({ unit: 'binary', minLength: 1 });
const anyContext: fc.Arbitrary<CatalogContext> = fc.record({
  name: filled,
  cluster: filled,
  identified: fc.boolean(),
  settling: fc.boolean(),
  isSource: fc.boolean(),
  server: fc.option(filled, { nil: undefined }),
  namespace: fc.option(filled, { nil: undefined }),
  problem: fc.option(filled, { nil: undefined }),
  unreachableSince: fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
});
const anyCatalog = fc
  .uniqueArray(anyContext, { selector: ({ name }) => name })
  .map((contexts) => aCatalog(...contexts));

describe('the published catalog', () => {
  it('carries every setting that rules judge by', () => {
    const policies = [{ contexts: ['prod-*'], sourceNamespaces: ['platform'], kinds: ['Secret' as const] }];
    const settings: CatalogSettings = {
      policies: new ContextPolicies(policies, 'deny'),
      installation: { annotationPrefix: 'kubed.appscode.com', namespace: 'context-syncer' },
    };
    const text = formatCatalog({ ...aCatalog(plain), ...settings });
    expect(parseCatalog(text)).toMatchObject(settings);
    expect(formatCatalog(parseCatalog(text))).toBe(text);
    expect(problems(text.replace('"Secret"', '"Pod"'))).toEqual([
      'policies[0].kinds[0] must be equal to one of the allowed values',
    ]);
  });

  it('of a controller without policies allows everything', () => {
    const { policies } = parseCatalog(formatCatalog(aCatalog(plain)));
    expect(policies?.allow('context-1', { namespace: 'any', kind: 'Secret' })).toBe(true);
  });

  it('reads well', () => {
    const text = formatCatalog(
      aCatalog(
        { ...plain, name: 'b', server: 'https://b.example', namespace: 'there', settling: true },
        { ...plain, name: 'a', problem: 'its user "x" does not exist' },
        { ...plain, name: 'c', identified: false, unreachableSince: Date.UTC(2026, 10, 23), problem: 'gone' },
      ),
    );
    expect(JSON.parse(text)).toEqual({
      version: 1,
      contexts: [
        {
          name: 'a',
          cluster: 'uid-1',
          identified: true,
          isSource: false,
          problem: 'its user "x" does not exist',
        },
        {
          name: 'b',
          server: 'https://b.example',
          namespace: 'there',
          cluster: 'uid-1',
          identified: true,
          isSource: false,
          settling: true,
        },
        {
          name: 'c',
          cluster: 'uid-1',
          identified: false,
          isSource: false,
          unreachableSince: '2026-11-23T00:00:00.000Z',
        },
      ],
    });
  });

  it('says the same to its reader', () => {
    fc.assert(
      fc.property(anyCatalog, (catalog) => {
        const read = parseCatalog(formatCatalog(catalog));
        const expected = [...catalog.contexts].map(([name, context]) => [
          name,
          context.unreachableSince === undefined ? context : { ...context, problem: undefined },
        ]);
        expect(Object.fromEntries(read.contexts)).toEqual(Object.fromEntries(expected));
      }),
    );
  });

  it('is the same text whatever the order of the contexts, so that it is not written again', () => {
    fc.assert(
      fc.property(anyCatalog, (catalog) => {
        const reversed = { contexts: new Map([...catalog.contexts].toReversed()) };
        expect(formatCatalog(reversed)).toBe(formatCatalog(catalog));
      }),
    );
  });

  it('does not change with the reason why a cluster cannot be reached', () => {
    const since = (problem: string) => formatCatalog(aCatalog({ ...plain, unreachableSince: 5, problem }));
    expect(since('refuses connections')).toBe(since('does not answer in time'));
  });

  it('takes nothing along that a context should not have', () => {
    const leaky = { ...plain, token: 'canary', connection: { password: 'canary' } };
    expect(formatCatalog(aCatalog(leaky))).not.toContain('canary');
  });
});

const context = { name: 'a', cluster: 'u', identified: true, isSource: false };
const withContexts = (...contexts: readonly unknown[]): string => JSON.stringify({ version: 1, contexts });

describe('reading a catalog', () => {
  it('ignores fields of later versions', () => {
    const text = JSON.stringify({ version: 1, shiny: {}, contexts: [{ ...context, weight: 3 }] });
    expect([...parseCatalog(text).contexts.values()]).toEqual([{ ...context, settling: false }]);
  });

  it.each<[string, readonly string[]]>([
    ['', ['it is not JSON']],
    ['{"version":1,"contexts":[', ['it is not JSON']],
    ['null', ['the document must be object']],
    ['{}', ['version is missing', 'contexts is missing']],
    [
      '{"version":2,"contexts":"other"}',
      ['it has version 2, and this program reads version 1: upgrade the program'],
    ],
    ['{"version":"1","contexts":[]}', ['version must be equal to constant']],
    [
      withContexts(context, { name: '', cluster: 3, identified: 'yes', server: '' }),
      [
        'contexts[1].isSource is missing',
        'contexts[1].name must NOT have fewer than 1 characters',
        'contexts[1].server must NOT have fewer than 1 characters',
        'contexts[1].cluster must be string',
        'contexts[1].identified must be boolean',
      ],
    ],
    [
      withContexts({ ...context, unreachableSince: 'canary' }),
      ['contexts[0].unreachableSince must match format "time stamp"'],
    ],
    [withContexts(context, context), ['two of its contexts have one name']],
  ])('names every problem of %j', (text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  it('never fails in another way', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.jsonValue().map((value) => withContexts(value)),
        ),
        (text) => {
          expect(problems(text).every((problem) => problem !== '')).toBe(true);
        },
      ),
    );
  });
});

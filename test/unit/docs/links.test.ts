import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The Markdown files of a folder of the project, and of the folders in it. */
function guidesIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}

/** The anchors of a file's headings, as GitHub makes them. */
function anchorsOf(text: string): ReadonlySet<string> {
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function isBroken(guide: string, link: string): boolean {
  const [path = '', anchor] = link.split('#', 2);
  const file = path === '' ? guide : join(dirname(guide), path);
  try {
    const isText = file.endsWith('.md');
    const text = isText ? readFileSync(join(root, file), 'utf8') : '';
    return isText && anchor !== undefined && !anchorsOf(text).has(anchor);
  } catch {
    return true;
  }
}

test('every link of the documentation leads to a file and heading that exist', () => {
  const guides = [
    ...readdirSync(root).filter((name) => name.endsWith('.md')),
    ...guidesIn('docs'),
    ...guidesIn('.github'),
  ];
  const broken = guides.flatMap((guide) => {
    const links = [...readFileSync(join(root, guide), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)];
    return links
      .map(([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link) && isBroken(guide, link))
      .map((link) => `${guide}: ${link}`);
  });
  expect(broken).toEqual([]);
});

/** All files of the project's folders that documentation names, from the root. */
const rooms = ['certs', 'cli', 'controller', 'docs', 'manifests', 'shared', 'test', 'webhook'];
const files = rooms.flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => `/${room}/${name}`),
);

/** Whether a name in documentation leads to something: a path, its end, or a test without `test/` and `.test.ts`. `*` is any name. */
function isThere(name: string): boolean {
  const path = /^(unit|integration|e2e)\//.test(name) ? `test/${name}.test.ts` : name;
  const pattern = new RegExp(`/${path.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
  return existsSync(join(root, path)) || files.some((file) => pattern.test(file));
}

test('every file, folder and test of the project that the documentation names exists', () => {
  const named = new RegExp(
    `\`((?:(?:${rooms.join('|')}|unit|integration|e2e)/[\\w./*-]*|\\w[\\w./*-]*\\.ts))\``,
    'g',
  );
  const documents = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md', ...guidesIn('docs')]
    // A record is about its time.
    .filter((name) => !name.startsWith('docs/decisions/2'));
  const missing = documents.flatMap((document) =>
    [...readFileSync(join(root, document), 'utf8').matchAll(named)]
      .map(([, path = '']) => path)
      // Capitals stand for a name that the reader chooses, `mine` is the reader's own folder, and some names are not to be used.
      .filter((path) => !/[A-Z]{2}|\/mine\b|^(utils|helpers|types)\.ts$/.test(path) && !isThere(path))
      .map((path) => `${document}: ${path}`),
  );
  expect(missing).toEqual([]);
});

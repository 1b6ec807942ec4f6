import { expect, test } from 'vitest';
import { chooseArchive } from '../../sandbox/binaries/envtest-archive.ts';

const indexUrl = 'http://127.0.0.1:9/some/index.yaml';
const wanted = { indexUrl, kubernetes: '1.36.3', platform: { os: 'linux', arch: 'arm64' } };

function indexOf(...versions: string[]): string {
  const entries = versions.map((version) => {
    const file = `envtest-v${version}-linux-arm64.tar.gz`;
    return `  v${version}:\n    ${file}:\n      hash: hash-of-${version}\n      selfLink: http://files/${file}\n`;
  });
  return `releases:\n${entries.join('')}`;
}

test('the pinned version is chosen where it is published', () => {
  const archive = chooseArchive(indexOf('1.36.10', '1.36.3', '1.36.2'), wanted);
  expect(archive).toEqual({
    file: 'envtest-v1.36.3-linux-arm64.tar.gz',
    url: 'http://files/envtest-v1.36.3-linux-arm64.tar.gz',
    sha512: 'hash-of-1.36.3',
  });
});

test('else the newest patch of the same minor, counted as numbers and without pre-releases', () => {
  const archive = chooseArchive(indexOf('1.36.9', '1.36.10', '1.36.11-rc.1', '1.37.0', '1.3.99'), wanted);
  expect(archive.sha512).toBe('hash-of-1.36.10');
});

test('a relative link is relative to the index', () => {
  const index = indexOf('1.36.3').replace('http://files/', '');
  expect(chooseArchive(index, wanted).url).toBe('http://127.0.0.1:9/some/envtest-v1.36.3-linux-arm64.tar.gz');
});

test.for(['', 'releases: 3', 'releases: {v1.36.3: {}}', indexOf('1.35.0')])(
  'an index without the archive is an error that names platform and index: %j',
  (index) => {
    expect(() => chooseArchive(index, wanted)).toThrow(
      'no envtest archive of 1.36 for linux-arm64 in http://127.0.0.1:9/some/index.yaml',
    );
  },
);

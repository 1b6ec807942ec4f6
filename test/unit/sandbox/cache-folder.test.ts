import { expect, test } from 'vitest';
import { cachePlace } from '../../sandbox/binaries/cache-folder.ts';

const versions = { kubernetes: '1.36.3', etcd: '3.6.8' };
const platform = { os: 'linux', arch: 'arm64' };
const folderFor = (env: NodeJS.ProcessEnv) => cachePlace(env, versions, platform).folder;
const key = 'kubernetes-1.36.3_etcd-3.6.8_linux-arm64';

test('the folder is where the first of three variables says', () => {
  const all = { CONTEXT_SYNCER_CACHE: '/own', XDG_CACHE_HOME: '/xdg', HOME: '/home/jane' };
  expect(folderFor(all)).toBe(`/own/${key}`);
  expect(folderFor({ ...all, CONTEXT_SYNCER_CACHE: '' })).toBe(`/xdg/context-syncer/${key}`);
  expect(folderFor({ HOME: '/home/jane' })).toBe(`/home/jane/.cache/context-syncer/${key}`);
});

test('other versions and platforms have folders of their own', () => {
  const folders = [
    cachePlace({ HOME: '/h' }, versions, platform),
    cachePlace({ HOME: '/h' }, { ...versions, etcd: '3.6.9' }, platform),
    cachePlace({ HOME: '/h' }, { ...versions, kubernetes: '1.36.4' }, platform),
    cachePlace({ HOME: '/h' }, versions, { ...platform, os: 'darwin' }),
    cachePlace({ HOME: '/h' }, versions, { ...platform, arch: 'amd64' }),
  ];
  expect(new Set(folders.map(({ folder }) => folder)).size).toBe(folders.length);
});

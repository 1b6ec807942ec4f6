import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { binaryNames } from '../../sandbox/binaries/binary-folder.ts';
import type { Platform } from '../../sandbox/binaries/platform.ts';

export const platform: Platform = { os: 'linux', arch: 'amd64' };
/** Nobody listens on the discard port of the loopback: as good as no network. */
export const unreachable = 'http://127.0.0.1:9/index.yaml';

/** Removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'context-syncer-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Programs that run and do nothing; `origin` is in their text. */
export async function writeFakeBinaries(folder: string, origin: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of binaryNames) {
    await writeFile(join(folder, name), `#!/bin/sh\n# ${name} by ${origin}\n`, { mode: 0o755 });
  }
}

/** Who made the program of this name in `folder`. */
export async function originOf(file: string): Promise<string> {
  const text = await readFile(file, 'utf8');
  return text.trim().split(' by ')[1] ?? `unknown: ${text}`;
}

/** A folder for the PATH with a `go` that makes fakes, slowly enough to be met by others, and counts its runs. */
export async function fakeGo(folder: string): Promise<{ path: string; runs: () => Promise<number> }> {
  const bin = join(folder, 'bin');
  const count = join(folder, 'go-runs');
  await mkdir(bin);
  await writeFile(count, '');
  await writeFile(
    join(bin, 'go'),
    `#!/bin/sh
echo run >> '${count}'
/bin/sleep 0.05
while [ "$1" != -o ]; do shift; done
for name in server kube-apiserver kubectl; do
  printf '#!/bin/sh\\n# %s by go\\n' "$name" > "$2$name"
  /bin/chmod +x "$2$name"
done
`,
    { mode: 0o755 },
  );
  return { path: bin, runs: async () => (await readFile(count, 'utf8')).split('\n').length - 1 };
}

/** An envtest archive as it is published, of fakes by `archive`. */
export async function fakeArchive(folder: string): Promise<Buffer> {
  await writeFakeBinaries(join(folder, 'controller-tools', 'envtest'), 'archive');
  const file = join(folder, 'archive.tar.gz');
  const tar = spawn('tar', ['-czf', file, '-C', folder, 'controller-tools'], { stdio: 'ignore' });
  await once(tar, 'close');
  return await readFile(file);
}

export interface ArchiveServer {
  readonly indexUrl: string;
  readonly requests: readonly string[];
}

/** Serves an index that names `file` of `version` with `sha512`, and the archive. */
export async function serveArchive(
  archive: Buffer,
  { version = '1.36.3', sha512 = createHash('sha512').update(archive).digest('hex') } = {},
): Promise<ArchiveServer> {
  const file = `envtest-v${version}-linux-amd64.tar.gz`;
  const requests: string[] = [];
  const index = `releases:
  v${version}:
    ${file}:
      hash: ${sha512}
      selfLink: ${file}
`;
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.end(request.url === '/index.yaml' ? index : archive);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('the server listens on no port');
  }
  return { indexUrl: `http://127.0.0.1:${address.port}/index.yaml`, requests };
}

import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CertDir } from '../../../certs/cert-dir.ts';
import { type IssuedCertificate, issueServingCertificate, makeCa } from '../../../certs/issue.ts';
import { defaultRotationPolicy as policy } from '../../../certs/rotation-policy.ts';
import { systemClock } from '../../../shared/clock.ts';
import { type Logger, silentLogger } from '../../../shared/logger.ts';
import { quickKeys } from './quick-keys.ts';

const clock = systemClock();
const within = { timeout: 8_000, interval: 10 };

// TLS refuses keys as short as those of other tests.
const material = quickKeys(5, 2048);

async function leaf(at = clock.now()): Promise<IssuedCertificate> {
  const ca = await makeCa(policy, at, material);
  return await issueServingCertificate({ ca, names: ['a.example'], policy, now: at }, material);
}

/** A folder as a kubelet mounts it: the files are links into a hidden folder, whose link is swapped. */
class Mount {
  readonly folder: string;
  #version = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Mount> {
    const folder = await mkdtemp(join(tmpdir(), 'cert-dir-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    return new Mount(folder);
  }

  async swap(certPem: string, keyPem: string): Promise<void> {
    this.#version += 1;
    const version = `..${this.#version}`;
    await mkdir(join(this.folder, version));
    await writeFile(join(this.folder, version, 'tls.crt'), certPem);
    await writeFile(join(this.folder, version, 'tls.key'), keyPem);
    await symlink(version, join(this.folder, '..data_tmp'));
    await rename(join(this.folder, '..data_tmp'), join(this.folder, '..data'));
    if (this.#version > 1) return;
    for (const file of ['tls.crt', 'tls.key']) await symlink(join('..data', file), join(this.folder, file));
  }
}

function follow(folder: string, refuse: (certPem: string) => boolean = () => false) {
  const served: string[] = [];
  const complaints: string[] = [];
  const stop = new AbortController();
  const logger: Logger = {
    ...silentLogger,
    error: (_message, fields) => complaints.push(JSON.stringify(fields)),
  };
  const dir = new CertDir({
    folder,
    clock,
    logger,
    onLeaf: ({ certPem }) => {
      if (refuse(certPem)) throw new Error('refused');
      served.push(certPem);
    },
  });
  const done = dir.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return { dir, served, complaints };
}

test('a pair is served, and every swap of the link brings the next one', async () => {
  const mount = await Mount.create();
  const { dir, served } = follow(mount.folder);
  expect(dir.problem()).toBe('there is no serving certificate yet');
  const leaves = [await leaf(), await leaf(), await leaf(), await leaf()];
  for (const [index, { certPem, keyPem }] of leaves.entries()) {
    await mount.swap(certPem, keyPem);
    await expect.poll(() => served, within).toEqual(leaves.slice(0, index + 1).map((one) => one.certPem));
  }
  expect(dir.problem()).toBeUndefined();
  expect(dir.expiry().leaf).toBeGreaterThan(clock.now());
});

test('a pair that does not fit, or is no PEM, keeps the old one, and the next good one is taken', async () => {
  const mount = await Mount.create();
  const [first, second] = [await leaf(), await leaf()];
  await mount.swap(first.certPem, first.keyPem);
  const { dir, served, complaints } = follow(mount.folder);
  await expect.poll(() => served, within).toEqual([first.certPem]);
  await mount.swap(second.certPem, first.keyPem);
  await expect.poll(() => complaints.length, within).toBe(1);
  await mount.swap('garbage', second.keyPem);
  await mount.swap(
    `${second.certPem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    second.keyPem,
  );
  await expect.poll(() => complaints.length, within).toBe(2);
  expect(dir.problem()).toBeUndefined();
  expect(served).toEqual([first.certPem]);
  await mount.swap(second.certPem, second.keyPem);
  await expect.poll(() => served, within).toEqual([first.certPem, second.certPem]);
  expect(complaints.join()).not.toContain('PRIVATE');
});

test('files that are written one after the other are served once they fit', async () => {
  const mount = await Mount.create();
  const [first, second] = [await leaf(), await leaf()];
  await writeFile(join(mount.folder, 'tls.crt'), first.certPem);
  const { served, complaints } = follow(mount.folder);
  await expect.poll(() => complaints.length, within).toBe(1);
  await writeFile(join(mount.folder, 'tls.key'), first.keyPem);
  await expect.poll(() => served, within).toEqual([first.certPem]);
  await writeFile(join(mount.folder, 'tls.key'), second.keyPem);
  await writeFile(join(mount.folder, 'tls.crt'), second.certPem);
  await expect.poll(() => served, within).toEqual([first.certPem, second.certPem]);
});

test('a certificate that the server refuses is not taken to be in use', async () => {
  const mount = await Mount.create();
  const [first, second] = [await leaf(), await leaf()];
  await mount.swap(first.certPem, first.keyPem);
  const { dir, served, complaints } = follow(mount.folder, (certPem) => certPem === first.certPem);
  await expect.poll(() => complaints.length, within).toBe(1);
  expect(dir.problem()).toBe('there is no serving certificate yet');
  await mount.swap(second.certPem, second.keyPem);
  await expect.poll(() => served, within).toEqual([second.certPem]);
});

test('an expired certificate is served and named as a problem', async () => {
  const mount = await Mount.create();
  const { certPem, keyPem } = await leaf(clock.now() - policy.servingLifeMs);
  await mount.swap(certPem, keyPem);
  const { dir, served } = follow(mount.folder);
  await expect.poll(() => served.length, within).toBe(1);
  expect(dir.problem()).toBe('the serving certificate is not valid now');
});

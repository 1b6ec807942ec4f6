import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../../shared/logger.ts';
import { followClientCa, readClientCa } from '../../../webhook/client-ca.ts';
import { eventually } from '../../harness/eventually.ts';
import { CertificateAuthority } from '../../sandbox/control-plane/certificate-authority.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

it('follows its file, and keeps the CA in use when the file is damaged', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'context-syncer-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'ca.crt');
  await expect(readClientCa(path)).rejects.toMatchObject({
    problems: [`--client-ca is "${path}", but must be a file with CA certificates in PEM.`],
  });
  const [first, second] = [await CertificateAuthority.create('a'), await CertificateAuthority.create('b')];
  await writeFile(path, first.certPem);
  const inUse = await readClientCa(path);
  const clock = new ManualClock();
  const seen: string[] = [];
  const errors: string[] = [];
  const stop = new AbortController();
  const running = followClientCa(
    inUse,
    {
      path,
      clock,
      logger: { ...silentLogger, error: (message) => void errors.push(message) },
      onChange: (pem) => void seen.push(pem),
    },
    stop.signal,
  );
  await writeFile(path, 'garbage');
  const look = (check: () => void) => async () => {
    await clock.advance(10_000);
    check();
  };
  await eventually(
    'the damage is seen',
    look(() => expect(errors).toHaveLength(1)),
  );
  expect(seen).toEqual([]);
  await writeFile(path, second.certPem);
  await eventually(
    'the new CA is in use',
    look(() => expect(seen).toEqual([second.certPem])),
  );
  stop.abort();
  await running;
});

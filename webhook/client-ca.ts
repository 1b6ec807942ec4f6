import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../shared/clock.ts';
import { errorFields } from '../shared/error-fields.ts';
import { ChangeLog } from '../shared/log/change-log.ts';
import type { Logger } from '../shared/logger.ts';
import { StartupError } from '../shared/settings/startup-error.ts';

/** Between two looks at the file. A CA is replaced by a file with the old and the new one, long before it counts. */
const pollMs = 10_000;

export interface ClientCaOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** CA certificates in PEM to be trusted from now on. */
  readonly onChange: (caPem: string) => void;
}

/** Reads a file with CA certificates. @throws StartupError when there are none */
export async function readClientCa(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8');
    // Of several certificates it reads the first.
    if (new X509Certificate(pem).ca) {
      return pem;
    }
  } catch {
    // Whatever keeps it from being read, the sentence is the same.
  }
  throw new StartupError([
    `--client-ca is ${JSON.stringify(path)}, but must be a file with CA certificates in PEM.`,
  ]);
}

/** Follows the file until the signal aborts. A file that cannot be used changes nothing. Never rejects. */
export async function followClientCa(
  inUse: string,
  options: ClientCaOptions,
  signal: AbortSignal,
): Promise<void> {
  const { path, clock, logger, onChange } = options;
  let current = inUse;
  const complaints = new ChangeLog(logger);
  for (;;) {
    await clock.sleep(pollMs, signal);
    if (signal.aborted) {
      return;
    }
    try {
      const pem = await readClientCa(path);
      complaints.clear();
      if (pem !== current) {
        onChange(pem);
        current = pem;
        logger.info('client CA in use', { path });
      }
    } catch (error) {
      complaints.error('client CA is not usable, the one in use stays', { path, ...errorFields(error) });
    }
  }
}

import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../shared/clock.ts';
import { errorFields } from '../shared/error-fields.ts';
import { ChangeLog } from '../shared/log/change-log.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import { Wakeup } from '../shared/wakeup.ts';
import { isCurrent, keyFits, parseCertificate } from './certificate.ts';
import type { Expiry, ServingCertificate, ServingCertificates } from './serving-certificates.ts';

export interface CertDirOptions {
  /** Holds `tls.crt` (the certificate, then its chain) and `tls.key`, as a mounted TLS Secret does. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A pair that fits is to be served from now on. When it throws, the one before is taken to be in use still. */
  readonly onLeaf: (certificate: ServingCertificate) => void;
}

/** Between two looks, in case the folder's notifications say nothing (network file systems). */
const pollMs = 10_000;
/** Files that are written one after the other fit soon; this is when to look again, in milliseconds. */
const retryMs = 500;
/** Between two looks at least, however often the folder changes. */
const pauseMs = 50;

/**
 * Serving certificates that somebody else makes, such as cert-manager. The folder is watched, not the files: a mounted
 * Secret changes by the swap of a link. A pair that does not fit, or is half written, changes nothing.
 */
export class CertDir implements ServingCertificates {
  readonly #options: CertDirOptions;
  readonly #wakeup: Wakeup;
  readonly #complaints: ChangeLog;
  #inUse: { readonly hash: string; readonly certPem: string } | undefined;
  #watcher: FSWatcher | undefined;

  constructor(options: CertDirOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
    this.#complaints = new ChangeLog(options.logger);
  }

  problem(): string | undefined {
    const certificate = this.#certificate();
    if (certificate === undefined) return 'there is no serving certificate yet';
    return isCurrent(certificate, this.#options.clock.now())
      ? undefined
      : 'the serving certificate is not valid now';
  }

  expiry(): Expiry {
    return { leaf: this.#certificate()?.notAfter, authority: undefined };
  }

  upkeep(): undefined {
    return undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        this.#watch();
        const fits = await this.#look();
        await this.#options.clock.sleep(fits ? pauseMs : retryMs, signal);
        await this.#wakeup.sleep(pollMs, signal);
      }
    } finally {
      this.#watcher?.close();
    }
  }

  #certificate(): ReturnType<typeof parseCertificate> {
    return this.#inUse === undefined ? undefined : parseCertificate(this.#inUse.certPem);
  }

  /** Whether what is in the folder is in use. */
  async #look(): Promise<boolean> {
    const { folder, onLeaf, logger } = this.#options;
    try {
      const certPem = await readFile(join(folder, 'tls.crt'), 'utf8');
      const keyPem = await readFile(join(folder, 'tls.key'), 'utf8');
      const hash = createHash('sha256')
        .update(JSON.stringify([certPem, keyPem]))
        .digest('hex');
      if (hash === this.#inUse?.hash) return true;
      const certificate = parseCertificate(certPem);
      if (certificate === undefined || !keyFits(certificate, keyPem)) {
        this.#complain({ problem: 'tls.crt and tls.key do not belong together' });
        return false;
      }
      // Proves the whole text, with its chain, as the server will read it.
      createSecureContext({ cert: certPem, key: keyPem });
      onLeaf({ certPem, keyPem });
      this.#inUse = { hash, certPem };
      this.#complaints.clear();
      logger.info('serving certificate in use', { folder });
      return true;
    } catch (error) {
      this.#complain(errorFields(error));
      return false;
    }
  }

  #complain(fields: LogFields): void {
    const { folder } = this.#options;
    this.#complaints.error('certificate folder is not usable, the certificate in use stays', {
      folder,
      ...fields,
    });
  }

  /** A folder that is not there yet, or went away, is tried again at the next look. */
  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      const watcher = watch(this.#options.folder, { persistent: false }, () => this.#wakeup.wake());
      this.#watcher = watcher;
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
    } catch {
      this.#watcher = undefined;
    }
  }
}

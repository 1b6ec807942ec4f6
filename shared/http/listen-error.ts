import { formatListenAddress, type ListenAddress } from '../settings/listen-address.ts';
import { flagOf } from '../settings/setting.ts';
import { StartupError } from '../settings/startup-error.ts';

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it or choose another port',
  EACCES: 'this user may not listen there; choose a port from 1024 on',
  EADDRNOTAVAIL: 'this machine does not have that address; choose one of its own, or :PORT for all',
  ENOTFOUND: 'this host name is not known; choose an address of this machine, or :PORT for all',
};

/** A server cannot listen where its setting says. */
export class ListenError extends StartupError {
  override readonly name = 'ListenError';
  /** The setting's key, such as `metricsAddress`. */
  readonly setting: string;
  /** The operating system's code, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(setting: string, address: ListenAddress, code: string) {
    const reason = reasons[code] ?? `listening there failed with ${code}; choose another address`;
    super([`${flagOf(setting)} is "${formatListenAddress(address)}", but ${reason}.`]);
    this.setting = setting;
    this.code = code;
  }
}

import { isIPv6 } from 'node:net';
import type { ValueType } from './value-type.ts';

/** Where a server listens. */
export interface ListenAddress {
  /** A name or an IP address, IPv6 without brackets; undefined means every interface. */
  readonly host: string | undefined;
  /** 0 lets the operating system choose. */
  readonly port: number;
}

/** `HOST:PORT`, `:PORT` or `[IPV6]:PORT`; `0` means undefined, that is: do not listen. */
export const listenAddress: ValueType<ListenAddress | undefined> = {
  json: 'string',
  allowed: 'HOST:PORT or :PORT with a port up to 65535 (an IPv6 address in brackets), or 0 to switch it off',
  parse(given) {
    if (given === '0') {
      return { value: undefined };
    }
    const parts = /^(?:\[(?<six>[^\]]*)\]|(?<host>[A-Za-z0-9.-]*)):(?<port>\d{1,5})$/.exec(given)?.groups;
    const port = Number(parts?.['port']);
    if (parts === undefined || port > 65_535) {
      return undefined;
    }
    const six = parts['six'];
    if (six !== undefined) {
      return isIPv6(six) ? { value: { host: six, port } } : undefined;
    }
    const host = parts['host'];
    return { value: { host: host === '' ? undefined : host, port } };
  },
};

/** As a person would write it: `:8080`, `[::1]:8080`. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return `${host?.includes(':') === true ? `[${host}]` : (host ?? '')}:${port}`;
}

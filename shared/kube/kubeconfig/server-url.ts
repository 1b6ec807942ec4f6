/** The text is not the address of an API server. The message says what is allowed; it never repeats the text, which may hold a password. */
export class ServerUrlError extends Error {
  override readonly name = 'ServerUrlError';
}

/**
 * One spelling for one address: lower-case scheme and host, no default port, no trailing slash or dot of the
 * host, IP addresses in their canonical form. The path stays, because proxies in front of several clusters tell
 * them apart by path alone. Idempotent. Throws ServerUrlError.
 */
export function normaliseServerUrl(text: string): string {
  // The URL parser drops tabs and line ends silently: two texts that look different would become one.
  if (/\s/.test(text)) {
    throw new ServerUrlError('a server URL has no blanks in it');
  }
  if (!/^https?:\/\//i.test(text)) {
    throw new ServerUrlError('a server URL begins with https:// or http://');
  }
  const url = URL.parse(text);
  if (url === null) {
    throw new ServerUrlError('a server URL has the form https://HOST[:PORT][/PATH]');
  }
  if (url.username !== '' || url.password !== '') {
    throw new ServerUrlError('a server URL carries no user or password: put them into the user entry');
  }
  if (text.includes('?') || text.includes('#')) {
    throw new ServerUrlError('a server URL has no query and no fragment');
  }
  const host = url.hostname.replace(/\.+$/, '');
  if (host === '') {
    throw new ServerUrlError('a server URL names a host');
  }
  const port = url.port === '' ? '' : `:${url.port}`;
  return `${url.protocol}//${host}${port}${url.pathname.replace(/\/+$/, '')}`;
}

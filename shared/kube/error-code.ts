/** The code of an error of Node, such as `ENOENT`; `unknown` where it has none. A code is a constant, unlike a message. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
}

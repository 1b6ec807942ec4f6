/** An answer to a GET. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers a GET of one path. */
export type Route = (query: URLSearchParams) => Reply | Promise<Reply>;

/** A reply of plain text. */
export function plainText(status: number, body: string): Reply {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

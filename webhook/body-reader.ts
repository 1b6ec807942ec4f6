import type { IncomingMessage } from 'node:http';
import type { BodyBudget } from './body-budget.ts';
import { JsonProjection, type Wanted } from './json-projection.ts';

/** A request that gets no AdmissionReview: an HTTP status and one clause for its sender, without anything of its body. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Bytes of a body at most. The API server takes objects of 3 MiB, an UPDATE carries the object twice, and escaping can
 * double what is in JSON strings: 2 x 3 MiB, doubled, and some room.
 */
export const maxBodyBytes = 16 * 1024 * 1024;
/** Bytes of all bodies that are being received, an eighth of the memory limit in the manifests: 256 large ones at least. */
export const usualBudgetBytes = 64 * 1024 * 1024;

/**
 * Up to this many bytes a body is parsed as it is: most are far smaller, and whatever it holds, that takes a few
 * milliseconds and 30 MB at most. A larger one is reduced as it arrives.
 */
const wholeBytes = 256 * 1024;
/** Of a reduced body: annotations of 256 KiB in two objects, doubled by escaping. */
const maxReducedBytes = 1024 * 1024;
/** Memory for a body at first; it grows by this factor. */
const firstBytes = 16 * 1024;
const growth = 4;

/**
 * The status of a body that was cut. An API server passes the text on to kubectl for this one; for 503 and 429 it
 * has sentences of its own, and with a Retry-After it retries past its `timeoutSeconds`, and kubectl prints a time-out.
 */
const cutStatus = 507;

/**
 * Receives a body and parses it: as a whole, or what is wanted of it when it is large. `budget` counts the memory that it
 * takes until it is parsed.
 *
 * @throws RequestProblem 411 without a length, 413 for a length over the limit (nothing is read then), 400 for what is not
 * JSON or too much for a review, 507 when the budget cut it
 */
export async function readJson(
  request: IncomingMessage,
  wanted: Wanted,
  budget: BodyBudget,
): Promise<unknown> {
  const body = new ArrivingBody(announcedBytes(request), wanted);
  const share = budget.enter(() => {
    body.fail(
      new RequestProblem(
        cutStatus,
        'the webhook of context-syncer is overloaded, and the object did not arrive in time; try again',
      ),
    );
  });
  const take = (chunk: Buffer): void => {
    body.append(chunk);
    share.hold(body.size);
  };
  const broken = (): void => {
    if (!request.complete) {
      body.fail(new RequestProblem(400, 'the body is not as long as its Content-Length'));
    }
  };
  // Each comes once, and removing listeners would cost more than calling them.
  request.on('data', take).on('end', body.end).on('error', broken).on('close', broken);
  try {
    return parse(await body.whole);
  } catch (error) {
    // The rest is to be discarded.
    request.off('data', take);
    throw error;
  } finally {
    share.end();
  }
}

const noBytes = Buffer.alloc(0);

/** What is kept of a body that arrives. It is copied together: a chunk of one byte would take 100 bytes and more. */
class ArrivingBody {
  readonly whole: Promise<Buffer>;
  readonly end: () => void;
  readonly fail: (problem: RequestProblem) => void;
  readonly #announced: number;
  readonly #wanted: Wanted;
  #projection: JsonProjection | undefined;
  #bytes: Buffer = noBytes;
  #size = 0;
  #failed = false;

  constructor(announced: number, wanted: Wanted) {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.whole = promise;
    this.end = () => {
      resolve(this.#bytes.subarray(0, this.#size));
    };
    this.fail = (problem) => {
      // What follows is not kept: the budget has no longer a share for it.
      this.#failed = true;
      this.#bytes = noBytes;
      this.#projection = undefined;
      reject(problem);
    };
    this.#announced = announced;
    this.#wanted = wanted;
  }

  /** Bytes kept. */
  get size(): number {
    return this.#size;
  }

  append(chunk: Buffer): void {
    if (this.#failed) {
      return;
    }
    if (chunk.length === this.#announced && chunk.length <= wholeBytes) {
      // Most bodies are one chunk. Copying it would cost as much as parsing it.
      this.#bytes = chunk;
      this.#size = chunk.length;
      return;
    }
    if (this.#projection === undefined && this.#size + chunk.length > wholeBytes) {
      this.#reduce();
    }
    if (this.#projection === undefined) {
      this.#keep(chunk);
    } else {
      this.#projection.add(chunk);
    }
  }

  /** From now on only what is wanted is kept, also of what has arrived. */
  #reduce(): void {
    const arrived = this.#bytes.subarray(0, this.#size);
    this.#projection = new JsonProjection(this.#wanted, (bytes) => {
      this.#keep(bytes);
    });
    this.#bytes = noBytes;
    this.#size = 0;
    this.#projection.add(arrived);
  }

  #keep(bytes: Uint8Array): void {
    if (this.#failed) {
      // The projection yields several parts of one chunk.
      return;
    }
    const size = this.#size + bytes.length;
    if (size > maxReducedBytes) {
      this.fail(
        new RequestProblem(400, `the body has more than ${maxReducedBytes} bytes that a review looks at`),
      );
      return;
    }
    if (size > this.#bytes.length) {
      const room = Math.min(this.#announced, Math.max(firstBytes, this.#bytes.length * growth));
      const grown = Buffer.allocUnsafeSlow(Math.max(size, room));
      this.#bytes.copy(grown, 0, 0, this.#size);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size = size;
  }
}

function announcedBytes(request: IncomingMessage): number {
  const announced = request.headers['content-length'];
  if (announced === undefined) {
    // API servers announce the length.
    throw new RequestProblem(411, 'the request must have a Content-Length');
  }
  const bytes = Number(announced);
  if (bytes > maxBodyBytes) {
    throw new RequestProblem(413, `the body is larger than ${maxBodyBytes} bytes`);
  }
  if (bytes === 0) {
    throw new RequestProblem(400, 'the body is empty; it must be an AdmissionReview');
  }
  return bytes;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // The parser's message quotes the body, which holds payload.
    throw new RequestProblem(400, 'the body is not JSON');
  }
}

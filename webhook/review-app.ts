import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express';
import { isRecord } from '../shared/is-record.ts';
import { errorFields } from '../shared/log/error-fields.ts';
import type { Logger } from '../shared/logger.ts';
import {
  type AdmissionRequest,
  type AdmissionResponse,
  ReviewError,
  type ReviewFormat,
} from './admission-review.ts';
import type { BodyBudget } from './body-budget.ts';
import { failedReview } from './review.ts';

/** The path that `clientConfig` of the webhook configuration names. */
export const reviewPath = '/validate';

/**
 * Bytes of a body at most. The API server takes objects of 3 MiB, an UPDATE carries the object twice, and escaping can
 * double what is in JSON strings: 2 x 3 MiB, doubled, and some room.
 */
export const maxBodyBytes = 16 * 1024 * 1024;

export interface ReviewAppOptions {
  readonly format: ReviewFormat;
  /** The verdict. What it throws becomes an AdmissionReview that refuses. */
  readonly answer: (request: AdmissionRequest) => AdmissionResponse;
  readonly budget: BodyBudget;
  /** True while no connection should be used again. */
  readonly draining: () => boolean;
  readonly logger: Logger;
}

/** A request that is no review: an HTTP status and a sentence for whoever sent it. */
class RequestProblem extends Error {
  override readonly name = 'RequestProblem';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The express application: AdmissionReviews by POST, and the right refusal for everything else. */
export function reviewApp(options: ReviewAppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_request, response, next) => {
    if (options.draining()) {
      response.set('Connection', 'close');
    }
    next();
  });
  app.post(
    reviewPath,
    jsonOnly,
    roomForBody(options.budget),
    // Compressed bodies are refused: the API server sends none, and a small one can unpack to a huge one.
    express.raw({ type: () => true, limit: maxBodyBytes, inflate: false }),
    (request, response) => {
      response.type('application/json').send(answerTo(readRequest(request, options.format), options));
    },
  );
  app.all(reviewPath, (_request, response) => {
    response.set('Allow', 'POST');
    throw new RequestProblem(405, 'only POST is served here');
  });
  app.use(() => {
    throw new RequestProblem(404, `not found; AdmissionReviews are answered at ${reviewPath}`);
  });
  app.use(problemAnswer(options.logger));
  return app;
}

const jsonOnly: RequestHandler = (request, _response, next) => {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').split(';');
  const charset = /charset="?([^";]+)/i.exec(parameters.join(';'))?.[1]?.trim().toLowerCase() ?? 'utf-8';
  if (type.trim().toLowerCase() !== 'application/json' || charset !== 'utf-8') {
    throw new RequestProblem(415, 'the Content-Type must be application/json');
  }
  next();
};

function roomForBody(budget: BodyBudget): RequestHandler {
  return async (request, response, next) => {
    const announced = request.headers['content-length'];
    // Without a length, as much as a body may have. One that says it is larger is not read, only waited out.
    const bytes = announced === undefined ? maxBodyBytes : Math.min(Number(announced), maxBodyBytes);
    const giveBack = await budget.take(bytes);
    if (giveBack === undefined) {
      response.set('Retry-After', '1');
      throw new RequestProblem(503, 'too many large requests at a time; try again');
    }
    response.once('close', giveBack);
    if (response.closed) {
      giveBack();
    }
    next();
  };
}

function readRequest(request: Request, format: ReviewFormat): AdmissionRequest {
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body) || body.length === 0) {
    throw new RequestProblem(400, 'the body is empty; it must be an AdmissionReview');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    // The parser's message quotes the body, which holds payload.
    throw new RequestProblem(400, 'the body is not JSON');
  }
  return format.read(parsed);
}

function answerTo(request: AdmissionRequest, { format, answer, logger }: ReviewAppOptions): string {
  try {
    return format.write(answer(request));
  } catch (error) {
    logger.error('review failed', { uid: request.uid, operation: request.operation, ...errorFields(error) });
    return format.write(failedReview(request.uid));
  }
}

/** Express recognises an error handler by its four parameters. */
function problemAnswer(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const { status, message } = problemOf(error);
    if (status >= 500 && !(error instanceof RequestProblem)) {
      logger.error('HTTP request failed', errorFields(error));
    } else {
      logger.debug('HTTP request refused', { status });
    }
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    // What was not read of a body would be taken for the next request.
    if (!request.complete) {
      response.set('Connection', 'close');
    }
    response.status(status).type('text/plain').send(`${message}\n`);
  };
}

function problemOf(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof RequestProblem) {
    return error;
  }
  if (error instanceof ReviewError) {
    return { status: 400, message: error.message };
  }
  // The codes are body-parser's.
  switch (isRecord(error) ? error['type'] : undefined) {
    case 'entity.too.large':
      return { status: 413, message: `the body is larger than ${maxBodyBytes} bytes` };
    case 'encoding.unsupported':
      return { status: 415, message: 'the body must not be compressed' };
    case 'request.aborted':
    case 'request.size.invalid':
      return { status: 400, message: 'the body is not as long as its Content-Length' };
    default:
      return { status: 500, message: 'internal error' };
  }
}

import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import type { Clock } from '../shared/clock.ts';
import { errorFields } from '../shared/error-fields.ts';
import type { Logger } from '../shared/logger.ts';
import {
  type AdmissionRequest,
  type AdmissionResponse,
  ReviewError,
  type ReviewFormat,
} from './admission-review.ts';
import type { BodyBudget } from './body-budget.ts';
import { RequestProblem, readJson } from './body-reader.ts';
import type { Wanted } from './json-projection.ts';
import { failedReview } from './review.ts';

/** The path that `clientConfig` of the webhook configuration names. */
export const reviewPath = '/validate';

/**
 * Milliseconds for which the rest of a refused body is read and thrown away. Closing at once can reset the connection, and
 * then its client does not see the answer.
 */
const lingerMs = 500;

export interface ReviewAppOptions {
  readonly format: ReviewFormat;
  /** The verdict. What it throws becomes an AdmissionReview that refuses. */
  readonly answer: (request: AdmissionRequest) => AdmissionResponse;
  /** The parts of a review that `answer` looks at. */
  readonly wanted: Wanted;
  readonly budget: BodyBudget;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The express application: AdmissionReviews by POST, and the right refusal for everything else. */
export function reviewApp(options: ReviewAppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.post(reviewPath, answerReview(options));
  app.all(reviewPath, (_request, response) => {
    response.set('Allow', 'POST');
    throw new RequestProblem(405, 'only POST is served here');
  });
  app.use(() => {
    throw new RequestProblem(404, `not found; AdmissionReviews are answered at ${reviewPath}`);
  });
  app.use(problemAnswer(options));
  return app;
}

function checkType(request: Request): void {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').split(';');
  const charset = /charset="?([^";]+)/i.exec(parameters.join(';'))?.[1]?.trim().toLowerCase() ?? 'utf-8';
  if (type.trim().toLowerCase() !== 'application/json' || charset !== 'utf-8') {
    throw new RequestProblem(415, 'the Content-Type must be application/json');
  }
  // The API server compresses nothing, and a small body can unpack to a huge one.
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new RequestProblem(415, 'the body must not be compressed');
  }
}

function answerReview(options: ReviewAppOptions): RequestHandler {
  const { format, wanted, budget } = options;
  return async (request, response) => {
    checkType(request);
    const review = format.read(await readJson(request, wanted, budget));
    const text = answerTo(review, options);
    // What express adds to an answer would cost more than the verdict.
    response
      .writeHead(200, {
        'Content-Type': 'application/json; charset=utf-8',
        'Content-Length': Buffer.byteLength(text),
      })
      .end(text);
  };
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
function problemAnswer({ clock, logger }: ReviewAppOptions): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const { status, message } = problemOf(error);
    if (status === 500) {
      logger.error('HTTP request failed', errorFields(error));
    } else {
      logger.debug('HTTP request refused', { status });
    }
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const text = `${message}\n`;
    response
      .status(status)
      .type('text/plain')
      .set('Content-Length', String(Buffer.byteLength(text)));
    if (request.complete) {
      response.end(text);
    } else {
      // What was not read of a body would be taken for the next request.
      response.set('Connection', 'close').write(text);
      endAfterBody(request, response, clock);
    }
  };
}

/** Reads and discards the rest of the body for a while, then ends the answer and with it the connection. */
function endAfterBody(request: Request, response: Response, clock: Clock): void {
  const end = (): void => {
    cancel();
    response.end();
  };
  const cancel = clock.schedule(lingerMs, end);
  request.once('close', end).resume();
}

function problemOf(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof RequestProblem) {
    return error;
  }
  return error instanceof ReviewError
    ? { status: 400, message: error.message }
    : { status: 500, message: 'internal error' };
}

import { type Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../../shared/clock.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { reviewFormat, wantedOf } from '../../../webhook/admission-review.ts';
import { BodyBudget } from '../../../webhook/body-budget.ts';
import { usualBudgetBytes } from '../../../webhook/body-reader.ts';
import { review } from '../../../webhook/review.ts';
import { type ReviewAppOptions, reviewApp } from '../../../webhook/review-app.ts';
import { type ServerTimes, WebhookServer } from '../../../webhook/server.ts';
import {
  CertificateAuthority,
  type KeyAndCertificate,
} from '../../sandbox/control-plane/certificate-authority.ts';
import { circumstances, keys } from './fixtures.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Serial number of the certificate that the server showed. */
  readonly serial: string;
  readonly reused: boolean;
}

export interface AskOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A list is sent in chunks without a length. */
  readonly body?: string | Buffer | Iterable<Buffer>;
  readonly agent?: Agent;
  /** A client certificate. */
  readonly client?: { readonly cert: string; readonly key: string };
}

/** A webhook server on 127.0.0.1 with its own authority; drained or cut when the test is over. */
export class Serving {
  readonly server: WebhookServer;
  readonly ca: CertificateAuthority;
  readonly port: number;

  private constructor(server: WebhookServer, ca: CertificateAuthority, port: number) {
    this.server = server;
    this.ca = ca;
    this.port = port;
  }

  static async start(
    options: Partial<ReviewAppOptions> = {},
    {
      clock = systemClock(),
      times,
      maxConnections,
      clientNames,
    }: {
      readonly clock?: Clock;
      readonly times?: Partial<ServerTimes>;
      readonly maxConnections?: number;
      /** Clients need a certificate with one of these names; those of `ask` have "api-server". */
      readonly clientNames?: readonly string[];
    } = {},
  ): Promise<Serving> {
    const ca = await CertificateAuthority.create('test');
    const server = new WebhookServer({
      address: { host: '127.0.0.1', port: 0 },
      clock,
      logger: silentLogger,
      times: { lameDuckMs: 0, ...times },
      maxConnections,
      clients: clientNames === undefined ? undefined : { caPem: ca.certPem, names: clientNames },
    });
    const app = reviewApp({
      format: reviewFormat(),
      answer: (request) => review(request, circumstances),
      wanted: wantedOf(keys),
      budget: new BodyBudget(usualBudgetBytes),
      clock,
      logger: silentLogger,
      ...options,
    });
    const port = await server.listen(app);
    onTestFinished(() => server.drain());
    const serving = new Serving(server, ca, port);
    server.setSecureContext(await serving.certificate());
    return serving;
  }

  async certificate(): Promise<KeyAndCertificate> {
    return await this.ca.serving({ dns: ['localhost'], ip: ['127.0.0.1'] });
  }

  /** One request; on a connection of its own unless an agent is given. */
  async ask(options: AskOptions = {}): Promise<Answer> {
    const { method = 'POST', path = '/validate', body = '', agent = false } = options;
    const length = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.byteLength(body) : undefined;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const sent = request({
      host: '127.0.0.1',
      port: this.port,
      ca: this.ca.certPem,
      ...options.client,
      agent,
      method,
      path,
      headers: {
        'Content-Type': 'application/json',
        ...(length === undefined ? {} : { 'Content-Length': String(length) }),
        ...options.headers,
      },
    });
    let serial = '';
    sent.on('socket', (socket) => {
      const note = (): void => {
        serial = 'getPeerCertificate' in socket ? serialOf(socket) : '';
      };
      socket.once('secureConnect', note);
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      text(response).then(
        (answer) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: answer,
            serial,
            reused: sent.reusedSocket,
          }),
        reject,
      );
    });
    if (typeof body === 'string' || Buffer.isBuffer(body)) {
      sent.end(body);
    } else {
      for (const chunk of body) {
        sent.write(chunk);
      }
      sent.end();
    }
    return await promise;
  }
}

function serialOf(socket: { getPeerCertificate?: unknown }): string {
  const { getPeerCertificate } = socket;
  if (typeof getPeerCertificate !== 'function') {
    return '';
  }
  const certificate: unknown = getPeerCertificate.call(socket);
  return typeof certificate === 'object' && certificate !== null && 'serialNumber' in certificate
    ? String(certificate.serialNumber)
    : '';
}

/** A webhook that parses a review and answers a constant: what express and TLS cost. Prints its port when it listens. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import express from 'express';

const folder = process.argv[2] ?? '.';
const answer = {
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: { uid: 'u-1', allowed: true },
};
const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.post('/validate', express.json({ limit: '16mb' }), (_request, response) => {
  response.json(answer);
});
const [key, cert] = await Promise.all([readFile(join(folder, 'tls.key')), readFile(join(folder, 'tls.crt'))]);
const server = createServer({ key, cert, keepAliveTimeout: 120_000 }, app);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : '');
});

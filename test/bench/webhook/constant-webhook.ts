/**
 * A webhook that parses reviews and answers constants, which it reads from `answers.json`: each at a path of its name.
 * It shows what TLS, express and answers of that size cost. Prints its port when it listens.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import express from 'express';
import { trustedJson } from '../../sandbox/json.ts';

const folder = process.argv[2] ?? '.';
const [key, cert, answers] = await Promise.all(
  ['tls.key', 'tls.crt', 'answers.json'].map((name) => readFile(join(folder, name), 'utf8')),
);
const app = express();
app.disable('x-powered-by');
app.disable('etag');
for (const [name, answer] of Object.entries(trustedJson<Record<string, unknown>>(answers ?? '{}'))) {
  app.post(`/${name}`, express.json({ limit: '16mb' }), (_request, response) => {
    response.json(answer);
  });
}
process.on('SIGTERM', () => process.exit(0));
const server = createServer({ key, cert, keepAliveTimeout: 120_000 }, app);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : '');
});

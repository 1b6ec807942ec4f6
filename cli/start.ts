/** The program, on a Node.js that can run it. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { hostname } from 'node:os';
import { systemClock } from '../shared/clock.ts';
import { credentialVariables } from '../shared/kube/credentials/variables.ts';
import { controllerCommand, webhookCommand } from './commands.ts';
import { runProgram } from './run-program.ts';

const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;

const status = await runProgram(
  {
    args: process.argv.slice(2),
    process,
    clock: systemClock(),
    random: Math.random,
    identity: `${hostname()}_${randomUUID()}`,
    version: await programVersion(),
    inCluster: { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) },
    credentialEnvironment: Object.fromEntries(credentialVariables.map((name) => [name, process.env[name]])),
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    readFile: (path) => readFile(path, 'utf8'),
    exit: (status) => process.exit(status),
  },
  [controllerCommand, webhookCommand],
);
// Ended here and now: a connection or a timer that something forgot would keep a stopped process alive.
process.exit(status);

/** The version in the package.json that this file belongs to, from the sources as from `dist/`. */
async function programVersion(): Promise<string> {
  const path = findPackageJSON(import.meta.url);
  const content: unknown = path === undefined ? undefined : JSON.parse(await readFile(path, 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content
    ? String(content.version)
    : 'unknown';
}

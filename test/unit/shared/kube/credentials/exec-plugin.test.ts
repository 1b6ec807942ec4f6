import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../../shared/clock.ts';
import { execIssuer } from '../../../../../shared/kube/credentials/exec-plugin.ts';
import type { Issued } from '../../../../../shared/kube/credentials/issuers.ts';
import { CredentialsError } from '../../../../../shared/kube/errors.ts';
import type { ExecSettings } from '../../../../../shared/kube/kubeconfig/issuer-settings.ts';
import { type LogFields, silentLogger } from '../../../../../shared/logger.ts';

const v1 = 'client.authentication.k8s.io/v1';
let folder: string;
let lines: (LogFields | undefined)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'context-syncer-test-'));
  lines = [];
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Runs a plugin that is this shell script. */
async function run(
  script: string,
  options: {
    settings?: Partial<ExecSettings>;
    signal?: AbortSignal;
    environment?: Record<string, string>;
  } = {},
): Promise<Issued> {
  const path = join(folder, 'plugin');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  const plugin: ExecSettings = {
    provider: 'exec',
    apiVersion: v1,
    name: 'tool',
    path,
    args: [],
    env: [],
    clusterInfo: undefined,
    ...options.settings,
  };
  const issue = execIssuer(
    plugin,
    { server: 'https://api', certificateAuthority: { text: 'PEM' }, tlsServerName: 'kubernetes' },
    {
      clock: systemClock(),
      logger: { ...silentLogger, warn: (_message, fields) => lines.push(fields) },
      environment: { PATH: process.env['PATH'], HOME: folder, ...options.environment },
    },
  );
  return await issue({ fresh: false, signal: options.signal ?? new AbortController().signal });
}

async function problem(running: Promise<unknown>): Promise<string> {
  const error = await running.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CredentialsError);
  return error instanceof Error ? error.message : '';
}

/** A script that prints an ExecCredential. */
function prints(status: object, apiVersion = v1): string {
  return `cat <<'END'\n${JSON.stringify({ apiVersion, kind: 'ExecCredential', status })}\nEND`;
}

describe('a plugin', () => {
  test('gives a token with its expiry', async () => {
    expect(await run(prints({ token: 't', expirationTimestamp: '2026-03-04T05:06:07Z' }))).toEqual({
      token: 't',
      expiresAt: Date.UTC(2026, 2, 4, 5, 6, 7),
    });
  });

  test('gives a client certificate, in the older protocol as well', async () => {
    const apiVersion = 'client.authentication.k8s.io/v1beta1';
    const script = prints({ clientCertificateData: 'C', clientKeyData: 'K' }, apiVersion);
    expect(await run(script, { settings: { apiVersion } })).toEqual({ certificate: 'C', key: 'K' });
  });

  test('gets its arguments, its variables and little else', async () => {
    const out = join(folder, 'out');
    await run(
      `printf '%s|' "$@" > ${out}; env | cut -d= -f1 | sort | tr '\\n' ' ' >> ${out}; ${prints({ token: 't' })}`,
      {
        settings: { args: ['a b', '$(id)', '; id'], env: [['TOOL_MODE', 'x']] },
        environment: { AZURE_CLIENT_SECRET: 'CANARY', HTTPS_PROXY: 'http://proxy' },
      },
    );
    expect(await readFile(out, 'utf8')).toMatch(
      /^a b\|\$\(id\)\|; id\|HOME HTTPS_PROXY KUBERNETES_EXEC_INFO (OLDPWD )?PATH PWD (SHLVL )?TOOL_MODE (_ )?$/,
    );
  });

  test.each<[string, ExecSettings['clusterInfo'], object]>([
    [
      'the cluster',
      { config: { audience: 'x' } },
      {
        interactive: false,
        cluster: {
          server: 'https://api',
          'tls-server-name': 'kubernetes',
          'certificate-authority-data': 'UEVN',
          config: { audience: 'x' },
        },
      },
    ],
    ['no cluster', undefined, { interactive: false }],
  ])('gets %s', async (_what, clusterInfo, spec) => {
    const out = join(folder, 'out');
    await run(`printf %s "$KUBERNETES_EXEC_INFO" > ${out}; ${prints({ token: 't' })}`, {
      settings: { clusterInfo },
    });
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual({ apiVersion: v1, kind: 'ExecCredential', spec });
  });

  test('has nothing to read', async () => {
    expect(await run(`read x; ${prints({ token: 't' })}`)).toMatchObject({ token: 't' });
  });

  test('that leaves a process behind, which holds its pipes, does not hold us up, and the process goes', async () => {
    const pid = join(folder, 'pid');
    expect(await run(`sleep 1000 & echo $! > ${pid}; ${prints({ token: 't' })}`)).toMatchObject({
      token: 't',
    });
    await gone(Number(await readFile(pid, 'utf8')));
  });
});

describe('a plugin that misbehaves becomes a problem that repeats nothing of its output', () => {
  test.each<[string, string, RegExp]>([
    ['exits 1', 'echo CANARY; exit 1', /"tool" failed \(exit code 1\)/],
    ['is killed', 'kill -9 $$', /failed \(ended by SIGKILL\)/],
    ['prints garbage', 'echo CANARY', /printed no ExecCredential/],
    ['prints nothing', 'true', /printed no ExecCredential/],
    [
      'prints another kind',
      `echo '{"apiVersion":"${v1}","kind":"CANARY","status":{}}'`,
      /printed no ExecCredential/,
    ],
    [
      'answers in another version',
      prints({ token: 'CANARY' }, 'client.authentication.k8s.io/v1beta1'),
      /another apiVersion/,
    ],
    ['has no credentials', prints({}), /neither a token nor a client certificate/],
    ['has half a certificate', prints({ clientCertificateData: 'CANARY' }), /without the other/],
    ['has a bad expiry', prints({ token: 'CANARY', expirationTimestamp: 'CANARY' }), /no RFC 3339 time/],
    ['has a token that is no text', prints({ token: { CANARY: 1 } }), /printed no ExecCredential/],
    ['prints 1 GB', "head -c 1000000000 /dev/zero | tr '\\0' C", /printed more than 1024 KiB/],
  ])('%s', async (_what, script, expected) => {
    const message = await problem(run(script));
    expect(message).toMatch(expected);
    expect(inspect([message, lines])).not.toContain('CANARY');
  });

  test('does not exist', async () => {
    expect(await problem(run('true', { settings: { path: join(folder, 'nothing') } }))).toMatch(
      /cannot be started: .*nothing \(ENOENT\); bring its program by an init container/,
    );
  });

  test('gets more than the operating system takes', async () => {
    expect(await problem(run('true', { settings: { args: ['CANARY'.repeat(1_000_000)] } }))).toMatch(
      /cannot be started: .* \(E2BIG\)/,
    );
  });

  test('hangs: it is ended with all that it started when it is given up', async () => {
    const pids = join(folder, 'pids');
    const giveUp = new AbortController();
    const running = problem(run(`sleep 1000 & echo $$ $! > ${pids}; wait`, { signal: giveUp.signal }));
    let text = '';
    while (!text.endsWith('\n')) {
      text = await readFile(pids, 'utf8').catch(() => '');
    }
    giveUp.abort();
    expect(await running).toMatch(/did not answer in time and was ended/);
    await Promise.all(text.trim().split(' ').map(Number).map(gone));
  });
});

test('of the standard error of a plugin that failed, the last kilobyte is logged, without control characters', async () => {
  await problem(run("head -c 100000 /dev/zero | tr '\\0' x >&2; printf '\\033[31mwhy\\n' >&2; exit 1"));
  expect(lines).toHaveLength(1);
  const stderr = String(lines[0]?.['stderr']);
  expect(stderr).toMatch(/^x+ \[31mwhy$/);
  expect(stderr.length).toBeLessThanOrEqual(1024);
});

test('of the standard error of a plugin that ended well, nothing is logged: some show the token there', async () => {
  await run(`echo "got CANARY" >&2; ${prints({ token: 'CANARY' })}`);
  expect(inspect(lines)).not.toContain('CANARY');
});

/** Waits until no process has this number; one that nobody has waited for yet counts as gone. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').then(
      (stat) => stat.split(') ')[1]?.[0],
      () => undefined,
    );
    if (state === undefined || state === 'Z') {
      return;
    }
  }
}

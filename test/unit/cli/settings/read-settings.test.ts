import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GivenSetting } from '../../../../cli/settings/given-setting.ts';
import { readSettings } from '../../../../cli/settings/read-settings.ts';
import {
  type ControllerSettings,
  controllerSettings,
  controllerSettingsTable,
} from '../../../../controller/settings/settings.ts';
import { StartupError } from '../../../../shared/settings/startup-error.ts';

interface Given {
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** Content of the file `c.yaml`. */
  readonly file?: string | undefined;
}

const enough = { clusterName: 'home', contextsKubeconfig: '/etc/contexts' };

function flagList(flags: Readonly<Record<string, string | undefined>>): readonly GivenSetting[] {
  return Object.entries(flags).map(([key, text]) => ({
    key,
    value: text === undefined ? 'nothing' : { text },
  }));
}

async function read({ flags = {}, file }: Given): Promise<ControllerSettings> {
  const commandLine = {
    flags: flagList(flags),
    configPath: file === undefined ? undefined : 'c.yaml',
    problems: [],
  };
  return controllerSettings(await readSettings(controllerSettingsTable, commandLine, async () => file ?? ''));
}

async function problems(given: Given): Promise<readonly string[]> {
  try {
    await read(given);
    return [];
  } catch (error) {
    if (error instanceof StartupError) {
      return error.problems;
    }
    throw error;
  }
}

describe('settings that are enough', () => {
  it('are completed by the defaults', async () => {
    expect(await read({ flags: enough })).toEqual({
      clusterName: 'home',
      contexts: { from: 'file', path: '/etc/contexts' },
      kubeconfig: undefined,
      namespace: 'context-syncer',
      annotationPrefix: 'kubed.appscode.com',
      leaderElect: true,
      shards: 1,
      policies: [],
      policyDefault: 'allow',
      metricsAddress: { host: undefined, port: 8080 },
      healthAddress: { host: undefined, port: 8081 },
      logLevel: 'info',
      logFormat: 'json',
    });
  });

  it('are frozen, all the way down', async () => {
    const settings = await read({ flags: enough });
    expect([settings, settings.contexts, settings.metricsAddress].every(Object.isFrozen)).toBe(true);
  });

  it('may come from the file alone, as they are written there', async () => {
    const settings = await read({
      file: 'clusterName: 1.10\ncontextsSecret: ns/name:kube.conf\nleaderElect: False\nshards: 8\nmetricsAddress: 0\nhealthAddress: "[::1]:80"\n',
    });
    expect(settings).toMatchObject({
      clusterName: '1.10',
      contexts: { from: 'secret', namespace: 'ns', name: 'name', key: 'kube.conf' },
      leaderElect: false,
      shards: 8,
      metricsAddress: undefined,
      healthAddress: { host: '::1', port: 80 },
    });
  });

  it('name the key of the Secret, or mean kubeconfig', async () => {
    const settings = await read({ flags: { clusterName: 'home', contextsSecret: 'ns/name' } });
    expect(settings.contexts).toEqual({ from: 'secret', namespace: 'ns', name: 'name', key: 'kubeconfig' });
  });
});

describe('policies', () => {
  it('are a list in the file, about both kinds unless they say otherwise', async () => {
    const file = [
      'policyDefault: deny',
      'policies:',
      '  - contexts: [prod-*, edge]',
      '    sourceNamespaces: [team-a]',
      '  - {contexts: ["*"], sourceNamespaces: [platform], kinds: [ConfigMap]}',
    ].join('\n');
    const { policies, policyDefault } = await read({ flags: enough, file });
    expect(policyDefault).toBe('deny');
    expect(policies).toEqual([
      { contexts: ['prod-*', 'edge'], sourceNamespaces: ['team-a'], kinds: ['ConfigMap', 'Secret'] },
      { contexts: ['*'], sourceNamespaces: ['platform'], kinds: ['ConfigMap'] },
    ]);
  });

  const allowed =
    'a list of policies, each with contexts and sourceNamespaces (lists of names, or of beginnings with a * behind them) and, where it is not about both, kinds (ConfigMap, Secret)';

  it.each<[string, string]>([
    ['policies: all', `policies in c.yaml is "all", but must be ${allowed}.`],
    ['policies: {contexts: [a]}', `policies in c.yaml is a mapping, but must be ${allowed}.`],
    ['policies:', `policies in c.yaml has no value, but must be ${allowed}.`],
    ['policies: &a [*a]', `policies in c.yaml is a list, but must be ${allowed}.`],
    [
      'policies: [{contexts: [a], sourceNamespaces: [b]}, {contexts: [a]}]',
      'policies in c.yaml is wrong: policies[1].sourceNamespaces is missing.',
    ],
    [
      'policies: [{contexts: [a], sourceNamespaces: [b], kinds: [Pod]}]',
      'policies in c.yaml is wrong: policies[0].kinds[0] must be equal to one of the allowed values.',
    ],
    [
      'policies: [{contexts: ["*-prod"], sourceNamespaces: [b]}]',
      'policies in c.yaml is wrong: policies[0].contexts[0] must match pattern "^[^*]*\\*?$".',
    ],
    [
      'policies: [{contexts: [a], sourceNamespaces: [b], context: c}]',
      'policies in c.yaml is wrong: policies[0] must NOT have additional properties.',
    ],
    [
      'policies: [{contexts: [1.10], sourceNamespaces: [b]}]',
      'policies in c.yaml is wrong: policies[0].contexts[0] must be string.',
    ],
  ])('%s', async (file, sentence) => {
    expect(await problems({ flags: enough, file })).toEqual([sentence]);
  });
});

describe('a flag and the file', () => {
  it('the flag wins, even over a bad value', async () => {
    const settings = await read({
      flags: { ...enough, logLevel: 'debug' },
      file: 'logLevel: loud\nlogFormat: text',
    });
    expect(settings).toMatchObject({ logLevel: 'debug', logFormat: 'text' });
  });

  it('the flag displaces the other source of contexts', async () => {
    const settings = await read({ flags: enough, file: 'contextsSecret: ns/name' });
    expect(settings.contexts).toEqual({ from: 'file', path: '/etc/contexts' });
  });

  it('both sources of contexts in the file exclude each other', async () => {
    expect(
      await problems({
        flags: { clusterName: 'home' },
        file: 'contextsSecret: ns/name\ncontextsKubeconfig: f',
      }),
    ).toEqual([
      'contextsKubeconfig in c.yaml is "f" and contextsSecret in c.yaml is "ns/name", but exactly one of them must be given.',
    ]);
  });

  it('an empty file is no problem', async () => {
    expect(await problems({ flags: enough, file: '# nothing yet\n' })).toEqual([]);
  });

  it('an alias in the file is read as what it names', async () => {
    expect(await read({ flags: enough, file: 'logFormat: &f text\nnamespace: *f' })).toMatchObject({
      namespace: 'text',
    });
  });

  it('of a repeated flag the last counts', async () => {
    const commandLine = {
      flags: [...flagList({ ...enough, namespace: 'one' }), ...flagList({ namespace: 'two' })],
      problems: [],
    };
    const values = await readSettings(controllerSettingsTable, commandLine, async () => '');
    expect(values.namespace).toBe('two');
  });
});

const address =
  'HOST:PORT or :PORT with a port up to 65535 (an IPv6 address in brackets), or 0 to switch it off';
const label =
  "a label value: 1 to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit";
const namespace =
  "a namespace: 1 to 63 lower-case letters, digits or '-', beginning and ending with a letter or digit";
const subdomain = "a DNS subdomain: 1 to 253 lower-case letters, digits, '-' or '.', such as example.com";
const secret = 'NAMESPACE/NAME or NAMESPACE/NAME:KEY of a Secret (KEY is kubeconfig when absent)';

describe('one bad setting is one sentence', () => {
  it.each<[string, string | undefined, string]>([
    ['clusterName', '', `--cluster-name is "", but must be ${label}.`],
    ['clusterName', undefined, `--cluster-name has no value, but must be ${label}.`],
    ['clusterName', '-a', `--cluster-name is "-a", but must be ${label}.`],
    ['clusterName', 'a b\n', `--cluster-name is "a b\\n", but must be ${label}.`],
    ['clusterName', 'a\n', `--cluster-name is "a\\n", but must be ${label}.`],
    ['clusterName', 'x'.repeat(64), `--cluster-name is "${'x'.repeat(64)}", but must be ${label}.`],
    ['clusterName', '!'.repeat(500), `--cluster-name is "${'!'.repeat(100)}…", but must be ${label}.`],
    ['kubeconfig', '', '--kubeconfig is "", but must be the path of a file.'],
    ['namespace', 'Mine', `--namespace is "Mine", but must be ${namespace}.`],
    ['namespace', 'a.b', `--namespace is "a.b", but must be ${namespace}.`],
    ['annotationPrefix', 'a..b', `--annotation-prefix is "a..b", but must be ${subdomain}.`],
    ['annotationPrefix', 'a/b', `--annotation-prefix is "a/b", but must be ${subdomain}.`],
    ['leaderElect', 'no', '--leader-elect is "no", but must be true or false.'],
    ['leaderElect', '', '--leader-elect is "", but must be true or false.'],
    ['shards', '0', '--shards is "0", but must be a whole number from 1 to 64.'],
    ['shards', '65', '--shards is "65", but must be a whole number from 1 to 64.'],
    ['shards', '1e1', '--shards is "1e1", but must be a whole number from 1 to 64.'],
    ['metricsAddress', '8080', `--metrics-address is "8080", but must be ${address}.`],
    ['metricsAddress', ':65536', `--metrics-address is ":65536", but must be ${address}.`],
    ['metricsAddress', '::1:80', `--metrics-address is "::1:80", but must be ${address}.`],
    ['healthAddress', '[::g]:80', `--health-address is "[::g]:80", but must be ${address}.`],
    ['healthAddress', 'http://x:80', `--health-address is "http://x:80", but must be ${address}.`],
    ['logLevel', 'loud', '--log-level is "loud", but must be debug, info, warn or error.'],
    ['logFormat', 'yaml', '--log-format is "yaml", but must be json or text.'],
  ])('--%s %j', async (key, value, sentence) => {
    expect(await problems({ flags: { ...enough, [key]: value } })).toEqual([sentence]);
  });

  it.each(['name', 'ns/', '/name', 'ns/name:', 'ns/name:k:v', 'ns/name/x', 'NS/name', 'ns/name:a b'])(
    '--contexts-secret %s',
    async (value) => {
      expect(await problems({ flags: { clusterName: 'home', contextsSecret: value } })).toEqual([
        `--contexts-secret is "${value}", but must be ${secret}.`,
      ]);
    },
  );

  it('nothing at all is what is missing', async () => {
    expect(await problems({})).toEqual([
      `--cluster-name is missing: it must be ${label}.`,
      '--contexts-kubeconfig or --contexts-secret is missing: exactly one of them must be given.',
    ]);
  });
});

describe('a bad file', () => {
  const everyKey = Object.keys(controllerSettingsTable).join(', ');

  it.each<[string, readonly string[]]>([
    ['logLevel: loud', ['logLevel in c.yaml is "loud", but must be debug, info, warn or error.']],
    ['logLevel:', ['logLevel in c.yaml has no value, but must be debug, info, warn or error.']],
    ['logLevel: [info]', ['logLevel in c.yaml is a list, but must be debug, info, warn or error.']],
    ['logLevel: {a: b}', ['logLevel in c.yaml is a mapping, but must be debug, info, warn or error.']],
    ['log-level: info', ['"log-level" in c.yaml is not a setting: did you mean logLevel?']],
    ['config: x', [`"config" in c.yaml is not a setting: the settings are ${everyKey}.`]],
    ['__proto__: x', [`"__proto__" in c.yaml is not a setting: the settings are ${everyKey}.`]],
    [
      'logLevel: info\nlogLevel: warn',
      ['logLevel in c.yaml is given more than once, but must be given once.'],
    ],
  ])('%j', async (file, sentences) => {
    expect(await problems({ flags: enough, file })).toEqual(sentences);
  });

  it.each<[string, string]>([
    ['a: [1', 'valid YAML: line 1, column 6 is wrong (bad indent)'],
    ['ok: 1\na: b: c', 'valid YAML: line 2, column 4 is wrong (block as implicit key)'],
    ['- clusterName', 'a YAML mapping, with lines of the form "setting: value"'],
    ['--- {a: 1}\n--- {b: 1}', 'valid YAML: line 2, column 1 is wrong (multiple docs)'],
  ])('%j says nothing about what it may have set', async (file, what) => {
    expect(await problems({ flags: { logLevel: 'loud' }, file })).toEqual([
      `--config is "c.yaml", but must be ${what}.`,
      '--log-level is "loud", but must be debug, info, warn or error.',
    ]);
  });

  it('a file that cannot be read is named with the reason', async () => {
    const reading = readSettings(
      controllerSettingsTable,
      { flags: [], configPath: '/nope.yaml', problems: ['an earlier one.'] },
      async () => {
        throw Object.assign(new Error('ENOENT: canary'), { code: 'ENOENT' });
      },
    );
    await expect(reading).rejects.toMatchObject({
      problems: [
        'an earlier one.',
        '--config is "/nope.yaml", but must be a file that can be read (ENOENT).',
      ],
    });
  });

  it('its content is in no message about its syntax', async () => {
    const all = await problems({
      file: 'data: {token: canary-value\n"canary-value": *canary-value\n\tcanary-value',
    });
    expect(all.join()).not.toContain('canary');
  });
});

describe('any subset of bad settings', () => {
  const badValues = {
    clusterName: 'not a label!',
    kubeconfig: '',
    namespace: 'UPPER',
    annotationPrefix: '-',
    leaderElect: 'maybe',
    metricsAddress: 'nowhere',
    healthAddress: ':99999',
    logLevel: 'loud',
    logFormat: 'xml',
    contextsKubeconfig: '',
    unknownThing: 'x',
  };
  const keys = Object.keys(badValues);
  const badValue = new Map(Object.entries(badValues));

  it('is reported completely, each exactly once, and the rest is not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray(keys), fc.func(fc.boolean()), async (bad, byFlag) => {
        const entries = Object.entries({
          ...enough,
          ...Object.fromEntries(bad.map((key) => [key, badValue.get(key) ?? ''])),
        });
        const isFlag = (key: string): boolean => key !== 'unknownThing' && byFlag(key);
        const found = await problems({
          flags: Object.fromEntries(entries.filter(([key]) => isFlag(key))),
          file: entries
            .filter(([key]) => !isFlag(key))
            .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
            .join(''),
        });
        const flagName = (key: string): string => `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
        for (const key of bad) {
          const start = isFlag(key)
            ? `${flagName(key)} is`
            : key === 'unknownThing'
              ? `"${key}" in`
              : `${key} in`;
          expect(found.filter((sentence) => sentence.startsWith(start))).toHaveLength(1);
        }
        expect(found).toHaveLength(bad.length);
      }),
    );
  });
});

import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../../cli/command.ts';
import { controllerCommand } from '../../../cli/commands.ts';
import { runProgram } from '../../../cli/run-program.ts';
import { readSettings } from '../../../cli/settings/read-settings.ts';
import {
  type ControllerSettings,
  controllerSettings,
  controllerSettingsTable,
} from '../../../controller/settings/settings.ts';
import type { Clock } from '../../../shared/clock.ts';
import type { ProcessEnvironment } from '../../../shared/process-environment.ts';
import { StartupError } from '../../../shared/settings/startup-error.ts';

interface Trial {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly settings: ControllerSettings | undefined;
  readonly exits: readonly number[];
}

interface Stage {
  readonly process: EventEmitter;
  /** Lets the time of all scheduled work come. */
  readonly passTime: () => void;
}

const enough = ['controller', '--cluster-name', 'home', '--contexts-kubeconfig=/etc/contexts'];

async function trial(
  args: readonly string[],
  run: (environment: ProcessEnvironment, stage: Stage) => Promise<void> = async () => undefined,
): Promise<Trial> {
  const process = new EventEmitter();
  const scheduled: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: async () => undefined,
    schedule: (_, work) => {
      scheduled.push(work);
      return () => undefined;
    },
  };
  const stage = { process, passTime: () => scheduled.splice(0).forEach((work) => work()) };
  const exits: number[] = [];
  let stdout = '';
  let stderr = '';
  let settings: ControllerSettings | undefined;
  const controller: Command = {
    ...controllerCommand,
    async prepare(given, readFile) {
      settings = controllerSettings(await readSettings(controllerSettingsTable, given, readFile));
      const { logLevel, logFormat } = settings;
      return { logLevel, logFormat, run: (environment) => run(environment, stage) };
    },
  };
  const status = await runProgram(
    {
      args,
      process,
      clock,
      random: () => 0,
      identity: 'me',
      version: '1.2.3',
      inCluster: {},
      credentialEnvironment: {},
      stdout: (text) => {
        stdout += text;
      },
      stderr: (text) => {
        stderr += text;
      },
      readFile: async () => 'namespace: from-file\nlogLevel: warn\n',
      exit: (status) => exits.push(status),
    },
    [controller, { ...controller, name: 'webhook' }],
  );
  return { status, stdout, stderr, settings, exits };
}

function problemsIn({ stderr }: Trial): readonly string[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('  - '))
    .map((line) => line.slice(4));
}

describe('flags', () => {
  it.each<[readonly string[], Partial<ControllerSettings>]>([
    [[], { clusterName: 'home', leaderElect: true }],
    [['--leader-elect'], { leaderElect: true }],
    [['--leader-elect=true'], { leaderElect: true }],
    [['--leader-elect=false'], { leaderElect: false }],
    [['--leader-elect', 'false'], { leaderElect: false }],
    [['--leader-elect', '--namespace', 'ns'], { leaderElect: true, namespace: 'ns' }],
    [['--namespace=a', '--namespace=b'], { namespace: 'b' }],
    [['--config', 'c.yaml'], { namespace: 'from-file', logLevel: 'warn' }],
    [['--namespace', 'mine', '--config=c.yaml'], { namespace: 'mine', logLevel: 'warn' }],
  ])('%j', async (flags, expected) => {
    const { status, settings } = await trial([...enough, ...flags]);
    expect(status).toBe(0);
    expect(settings).toMatchObject(expected);
  });
});

describe('bad input ends with status 2 and one sentence for each problem', () => {
  it.each<[readonly string[], readonly string[]]>([
    [[], ['a command is missing: it must be controller or webhook.']],
    [['controler'], ['"controler" is not a command of context-syncer: did you mean controller?']],
    [['frob'], ['"frob" is not a command of context-syncer: the commands are controller, webhook.']],
    [['help', 'webhok'], ['"webhok" is not a command of context-syncer: did you mean webhook?']],
    [
      ['--cluster-name', 'x', 'controller'],
      [
        '--cluster-name is not a flag of context-syncer: flags come after the command, controller or webhook.',
      ],
    ],
    [
      [...enough, '--clustername', 'x', '--log-level=loud', '--frobnicate=1', 'extra', '--conifg', '-v'],
      [
        '--clustername is not a flag of context-syncer controller: did you mean --cluster-name?',
        '--frobnicate is not a flag of context-syncer controller: context-syncer controller --help lists its flags.',
        '"extra" is not expected: context-syncer controller takes flags only.',
        '--conifg is not a flag of context-syncer controller: did you mean --config?',
        '-v is not a flag of context-syncer controller: context-syncer controller --help lists its flags.',
        '--log-level is "loud", but must be debug, info, warn or error.',
      ],
    ],
    [
      [...enough, '--no-leader-elect'],
      ['--no-leader-elect is not a flag of context-syncer controller: did you mean --leader-elect?'],
    ],
    [[...enough, '--config'], ['--config has no value, but must be the path of a YAML file.']],
    [[...enough, '--help=x'], ['--help takes no value.']],
    [
      [...enough, '--log-format', '--namespace'],
      [
        "--namespace has no value, but must be a namespace: 1 to 63 lower-case letters, digits or '-', beginning and ending with a letter or digit.",
        '--log-format has no value, but must be json or text.',
      ],
    ],
  ])('%j', async (args, sentences) => {
    const result = await trial(args);
    expect(problemsIn(result)).toEqual(sentences);
    expect(result.status).toBe(2);
    expect(result.stdout).toBe('');
  });

  it('also when the command finds it only after its start', async () => {
    const result = await trial(enough, async () => {
      throw new StartupError(['one is wrong.', 'two is wrong.']);
    });
    expect(result.status).toBe(2);
    expect(problemsIn(result)).toEqual(['one is wrong.', 'two is wrong.']);
  });
});

describe('help', () => {
  it('lists the commands', async () => {
    const { status, stdout } = await trial(['--help']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/Usage: context-syncer COMMAND \[flags\][^]*controller[^]*webhook/);
  });

  it.each([[['controller', '--help']], [['help', 'controller']]])('%j names every setting', async (args) => {
    const { status, stdout } = await trial(args);
    expect(status).toBe(0);
    for (const key of Object.keys(controllerSettingsTable).filter((name) => name !== 'policies')) {
      expect(stdout).toContain(`  --${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} `);
    }
    expect(stdout).toMatch(/Only the\s+file can have policies\./);
    expect(stdout).not.toContain('--policies');
  });

  it('prints the version', async () => {
    expect(await trial(['--version'])).toMatchObject({ status: 0, stdout: '1.2.3\n' });
  });
});

describe('a running command', () => {
  it('is asked to stop by SIGTERM and ends with status 0', async () => {
    const { status, exits, stderr } = await trial(enough, async ({ signal }, { process }) => {
      process.emit('SIGTERM', 'SIGTERM');
      expect(signal.aborted).toBe(true);
    });
    expect({ status, exits }).toEqual({ status: 0, exits: [] });
    expect(stderr).toContain('"msg":"stopped"');
  });

  it('ends at once with status 1 on a second signal', async () => {
    const { exits } = await trial(enough, async (_, { process }) => {
      process.emit('SIGINT', 'SIGINT');
      process.emit('SIGTERM', 'SIGTERM');
    });
    expect(exits).toEqual([1]);
  });

  it('ends with status 1 when it has not stopped in time, and not before it is asked to stop', async () => {
    const { exits } = await trial(enough, async (_, { process, passTime }) => {
      passTime();
      process.emit('SIGTERM', 'SIGTERM');
      passTime();
    });
    expect(exits).toEqual([1]);
  });

  it.each(['uncaughtException', 'unhandledRejection'])(
    'ends with status 1 on %s, without its message',
    async (event) => {
      const { exits, stderr } = await trial(enough, async (_, { process }) => {
        process.emit(event, new RangeError('canary'));
      });
      expect(exits).toEqual([1]);
      expect(stderr).toContain('"error":"RangeError"');
      expect(stderr).not.toContain('canary');
    },
  );

  it('that fails ends with status 1, without the message', async () => {
    const { status, stderr } = await trial([...enough, '--log-format=text'], async () => {
      throw new Error('canary');
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/ERROR failed {2}error=Error at=/);
    expect(stderr).not.toContain('canary');
  });
});

import { describe, expect, it } from 'vitest';
import type { GivenSetting } from '../../../../cli/settings/given-setting.ts';
import { readSettings } from '../../../../cli/settings/read-settings.ts';
import { controllerSettingsTable } from '../../../../controller/settings/settings.ts';

/** The plugins that flags `--allow-exec` and a YAML file allow. */
async function allowed(flags: readonly string[], file = ''): Promise<unknown> {
  const required: Readonly<Record<string, string>> = { clusterName: 'hub', contextsKubeconfig: '/c' };
  const given: GivenSetting[] = [
    ...Object.entries(required).map(([key, text]) => ({ key, value: { text } })),
    ...flags.map((text) => ({ key: 'allowExec', value: { text } })),
  ];
  const commandLine = { flags: given, configPath: 'c.yaml', problems: [] };
  const { allowExec } = await readSettings(controllerSettingsTable, commandLine, async () => file);
  return allowExec === undefined ? undefined : Object.fromEntries(allowExec);
}

const both = { tsh: '/p/tsh', 'C:\\x': '/p/x' };

describe('--allow-exec', () => {
  it.each<[string, readonly string[], string?]>([
    ['repeated', ['tsh=/p/tsh', 'C:\\x=/p/x']],
    ['with commas', ['tsh=/p/tsh, C:\\x=/p/x']],
    ['in the file', [], 'allowExec: tsh=/p/tsh,C:\\x=/p/x'],
    ['on the command line, which wins over the file', ['tsh=/p/tsh', 'C:\\x=/p/x'], 'allowExec: a=/b'],
  ])('is taken %s', async (_what, flags, file) => {
    expect(await allowed(flags, file)).toEqual(both);
  });

  it('is nothing when it is not given', async () => {
    expect(await allowed([])).toBeUndefined();
  });

  it.each([[['tsh']], [['tsh=relative/path']], [['=/p']], [['tsh=/p', 'tsh=/q']], [['tsh=/p,']]])(
    '%j is refused',
    async (flags) => {
      await expect(allowed(flags)).rejects.toThrow(
        'but must be NAME=/absolute/path, each name once, several separated by commas',
      );
    },
  );

  it.each(['allowExec: [a]', 'allowExec:\n  tsh: /p'])('the file %j is refused', async (file) => {
    await expect(allowed([], file)).rejects.toThrow('must be NAME=/absolute/path');
  });
});

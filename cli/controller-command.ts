import { controllerSettings, controllerSettingsTable } from '../shared/settings/controller-settings.ts';
import { readSettings } from '../shared/settings/read-settings.ts';
import type { Command } from './command.ts';

/** `context-syncer controller`. */
export const controllerCommand: Command = {
  name: 'controller',
  summary: 'Copies annotated ConfigMaps and Secrets to the clusters of the contexts they name.',
  settings: controllerSettingsTable,
  async prepare(commandLine, readFile) {
    const settings = controllerSettings(await readSettings(controllerSettingsTable, commandLine, readFile));
    return {
      logLevel: settings.logLevel,
      logFormat: settings.logFormat,
      async run(environment) {
        // Loaded now, so that help and bad settings are answered without loading a Kubernetes client.
        const { runController } = await import('../controller/main.ts');
        await runController(settings, environment);
      },
    };
  },
};

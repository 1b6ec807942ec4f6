import { readSettings } from '../shared/settings/read-settings.ts';
import { webhookSettings, webhookSettingsTable } from '../shared/settings/webhook-settings.ts';
import type { Command } from './command.ts';

/** `context-syncer webhook`. */
export const webhookCommand: Command = {
  name: 'webhook',
  summary: 'Refuses ConfigMaps and Secrets whose annotation could not be served, when they are applied.',
  settings: webhookSettingsTable,
  async prepare(commandLine, readFile) {
    const settings = webhookSettings(await readSettings(webhookSettingsTable, commandLine, readFile));
    return {
      logLevel: settings.logLevel,
      logFormat: settings.logFormat,
      async run(environment) {
        // Loaded now, so that help and bad settings are answered without loading a Kubernetes client.
        const { runWebhook } = await import('../webhook/main.ts');
        await runWebhook(settings, environment);
      },
    };
  },
};

import { controllerSettings, controllerSettingsTable } from '../controller/settings/settings.ts';
import { webhookSettings, webhookSettingsTable } from '../webhook/settings.ts';
import { commandOf } from './command.ts';

export const controllerCommand = commandOf(
  {
    name: 'controller',
    summary: 'Copies annotated ConfigMaps and Secrets to the clusters of the contexts they name.',
    example: '--cluster-name=hub --kubeconfig=source.yaml --contexts-kubeconfig=targets.yaml',
  },
  {
    table: controllerSettingsTable,
    settings: controllerSettings,
    load: async () => (await import('../controller/main.ts')).runController,
  },
);

export const webhookCommand = commandOf(
  {
    name: 'webhook',
    summary: 'Refuses ConfigMaps and Secrets whose annotation could not be served, when they are applied.',
    example: '--kubeconfig=source.yaml --serving-names=webhook.example.com',
  },
  {
    table: webhookSettingsTable,
    settings: webhookSettings,
    load: async () => (await import('../webhook/main.ts')).runWebhook,
  },
);
